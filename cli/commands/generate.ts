import { join } from 'node:path';
import type { RunContext } from '../../recipes/context.ts';
import type { MadeData } from '../../recipes/made-data.ts';
import { ConfigError } from '../../src/base/errors.ts';
import { type Command, command, positiveNumber, realNumber, wholeNumber } from '../command.ts';
import { printJson, say } from '../terminal.ts';
import { checkDistinct } from './data-options.ts';

/** What all ways to get data have in common: who is asked, where it goes, what it may cost. */
export interface TeacherFlags {
  readonly provider: string;
  readonly model?: string;
  readonly baseUrl?: string;
  readonly apiKeyEnv?: string;
  readonly concurrency?: number;
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  readonly batch?: boolean;
  readonly forgetBatches?: string[];
  readonly timeoutSeconds?: number;
  readonly prices?: string;
  readonly recorded?: string[];
  readonly contextSize?: number;
  readonly template?: string;
  readonly out: string;
  readonly ledger?: string;
  readonly budgetUsd?: number;
  readonly yes?: boolean;
  readonly threads?: number;
  readonly json?: boolean;
  readonly [setting: string]: unknown;
}

interface MadeFlags extends TeacherFlags {
  readonly card?: string | true;
}

export function generateCommand(): Command {
  const parent = command(
    'generate',
    'a teacher makes training data: new tasks, answers to given ones, in any language',
    [
      'generate --provider local --count 20 --out my-data',
      'generate answers --data alpaca.json --provider openai --model gpt-4.1-mini --budget-usd 20 --out answered',
      'generate translate --data alpaca.json --to zh --provider openai --model gpt-4.1-mini --budget-usd 20 --out chinese',
    ],
  );
  parent.addCommand(selfInstructCommand(), { isDefault: true });
  parent.addCommand(answersCommand());
  parent.addCommand(translateCommand());
  return parent;
}

/** Where a command puts what it makes: the option, what it says, and the ledger's place unless another is named. */
const intoFolder = {
  flag: '--out <folder>',
  text: 'folder of data.jsonl, rejects.jsonl and the ledger',
  ledger: 'ledger.sqlite in the folder',
};

export const withTeacher = (made: Command, into: typeof intoFolder = intoFolder): Command =>
  made
    .option('--provider <name>', 'openai, anthropic, openai-compatible, recorded, local or gguf', 'local')
    .option('--model <name>', 'as the provider spells it; for local a model folder or builtin, for gguf a file')
    .option('--base-url <url>', 'address of an OpenAI-compatible server')
    .option('--api-key-env <name>', 'environment variable that holds the key')
    .option('--concurrency <n>', 'most calls in flight; a server that refuses gets fewer', positiveNumber)
    .option('--requests-per-minute <n>', 'the account’s limit, if known', positiveNumber)
    .option('--tokens-per-minute <n>', 'the account’s limit, if known', positiveNumber)
    .option('--batch', 'ask by the provider’s batch interface: about half the price, answers within a day')
    .option('--forget-batches <ids...>', 'batches that the provider no longer has: their rows are asked again')
    .option('--timeout-seconds <n>', 'most that one call may take, up to 300 (default: 120)', realNumber)
    .option('--prices <file>', 'prices by model that go before the listed ones, as in assets/prices.json')
    .option('--recorded <files...>', 'answers that the provider `recorded` replays')
    .option('--context-size <n>', 'tokens a prompt and its answer may have, for gguf', positiveNumber)
    .option('--template <name>', 'chat template of a gguf file that has none: chatml, alpaca or a Jinja file')
    .requiredOption(into.flag, into.text)
    .option('--ledger <file>', `file of paid calls; default: ${into.ledger}. May be shared`)
    .option('--budget-usd <usd>', 'most the teacher may cost', realNumber)
    .option('--yes', 'spend without a limit')
    .option('--threads <n>', 'threads of the engine', positiveNumber)
    .option('--json', 'print one JSON document');

export const withAnswers = (made: Command): Command =>
  made
    .requiredOption('--data <files...>', 'tasks: rows of any known form, of which what the user asked is taken')
    .option('--max-tokens <n>', 'longest answer', positiveNumber)
    .option(
      '--cut <policy>',
      'an answer that ends at its limit: drop, longer (asked again with more) or keep (marked)',
    );

const withCard = (made: Command): Command =>
  made.option('--card [file]', 'write a data set card for the Hugging Face hub (default: README.md in the folder)');

function selfInstructCommand(): Command {
  const made = command('self-instruct', 'new instructions from seed tasks, answered (Self-Instruct); the default', [
    'generate --provider openai --model gpt-4.1-mini --budget-usd 2 --count 200 --out my-data',
    'generate --provider openai-compatible --base-url http://localhost:8000/v1 --model my-model --count 50 --out my-data',
    'generate --style self-instruct --instances 2 --provider openai --model gpt-4.1-mini --budget-usd 2 --count 200 --out my-data',
  ]);
  return withCard(withTeacher(made))
    .option('--seeds <files...>', 'seed tasks; default: the project’s own English ones')
    .requiredOption('--count <n>', 'instructions asked for; filters take some away', positiveNumber)
    .option('--languages <codes...>', 'en, zh')
    .option(
      '--style <name>',
      'alpaca: tasks with their inputs in one; self-instruct: instances of tasks, label first in classification (default: alpaca)',
    )
    .option('--instances <n>', 'of each task, in the style self-instruct (default: 1)', positiveNumber)
    .option('--no-classification', 'in the style self-instruct: all tasks input first')
    .option('--examples-per-prompt <n>', 'seed tasks shown when a new one is asked for', positiveNumber)
    .option('--answer-examples <n>', 'seed tasks shown, answered, before a new one is answered', wholeNumber)
    .option('--instruction-tokens <n>', 'longest instruction', positiveNumber)
    .option('--answer-tokens <n>', 'longest answer', positiveNumber)
    .option('--temperature <t>', 'of the instructions', realNumber)
    .option('--top-p <p>', 'of the instructions: the likeliest tokens that reach p', realNumber)
    .option('--seed <n>', 'of the examples drawn', wholeNumber)
    .action(selfInstruct);
}

function answersCommand(): Command {
  const made = command('answers', 'answers to given tasks, in any number (the paper: Alpaca’s 52 thousand, by GPT-4)', [
    'generate answers --data tasks.jsonl --provider local --out answered',
    'generate answers --data alpaca.json --provider openai --model gpt-4.1-mini --batch --budget-usd 20 --card --out answered',
  ]);
  return withCard(withAnswers(withTeacher(made))).action(answers);
}

function translateCommand(): Command {
  const made = command('translate', 'given tasks translated, then answered in their new language', [
    'generate translate --data alpaca.json --to zh --provider openai --model gpt-4.1-mini --budget-usd 20 --out zh',
  ]);
  return withCard(withAnswers(withTeacher(made)))
    .requiredOption('--to <code>', 'language to translate into, such as zh or de (ISO 639-1)')
    .option('--translation-tokens <n>', 'longest translated task', positiveNumber)
    .action(translate);
}

const overHttp = ['openai', 'anthropic', 'openai-compatible'];

/** Of flags that say something of some providers alone: of which. Batches are refused where there are none, with reasons. */
const providersOf: Readonly<Record<string, readonly string[]>> = {
  model: [...overHttp, 'local', 'gguf'],
  baseUrl: overHttp,
  apiKeyEnv: overHttp,
  concurrency: [...overHttp, 'gguf'],
  requestsPerMinute: overHttp,
  tokensPerMinute: overHttp,
  timeoutSeconds: overHttp,
  prices: overHttp,
  recorded: ['recorded'],
  contextSize: ['gguf'],
  template: ['gguf'],
};

/** Throws ConfigError with what to do about the first flag that is not one of this provider's. */
function checkProviderFlags(flags: TeacherFlags): void {
  const { provider, model } = flags;
  if (!Object.values(providersOf).flat().includes(provider)) return; // told with the names there are
  for (const [name, providers] of Object.entries(providersOf)) {
    if (flags[name] === undefined || providers.includes(provider)) continue;
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const here = model?.endsWith('.gguf') ? `; to have ${model} answer here: --provider gguf, without ${flag}` : '';
    throw new ConfigError(`${flag} is for --provider ${providers.join(', ')}; the provider is ${provider}`, {
      hint:
        name === 'baseUrl'
          ? `to ask the server at that address: --provider openai-compatible --model <as the server calls it>${here}`
          : `leave ${flag} out, or name another provider`,
    });
  }
}

/** The teacher as its settings spell it, where the data goes, and all other flags. */
export function splitTeacherFlags(flags: TeacherFlags) {
  const { provider, model, baseUrl, apiKeyEnv, concurrency, requestsPerMinute, tokensPerMinute, ...others } = flags;
  const { batch, forgetBatches, timeoutSeconds, prices, recorded, contextSize, template, ...where } = others;
  const { out, ledger, budgetUsd, yes, threads, json, ...settings } = where;
  checkProviderFlags(flags);
  if (provider === 'openai-compatible' && baseUrl === undefined) {
    throw new ConfigError('the provider openai-compatible needs --base-url', {
      hint: 'for example http://localhost:8000/v1',
    });
  }
  const limits = { concurrency, requestsPerMinute, tokensPerMinute, timeoutSeconds };
  const asBatch = forgetBatches ? { forget: forgetBatches } : batch;
  const vendor = { model, baseUrl, apiKeyEnv, ...limits, prices, batch: asBatch, contextSize, template };
  const given = Object.entries({ provider, ...vendor, files: recorded }).filter(([, value]) => value !== undefined);
  const teacher: unknown = Object.fromEntries(given);
  return { teacher, out, json, context: { output: out, ledger, budgetUsd, yes, threads }, settings };
}

async function selfInstruct({ card, ...flags }: MadeFlags & { readonly seeds?: string[] }): Promise<void> {
  const { teacher, out, json, context, settings } = splitTeacherFlags(flags);
  const { seeds, classification, ...others } = settings as { seeds?: string[]; classification?: boolean };
  // The flag's absence says nothing.
  const rest = classification === false ? { ...others, classification } : others;
  const { defaultSeeds, generateSchema } = await import('../../recipes/generate-config.ts');
  const { parseConfig } = await import('../../src/run/config.ts');
  const { readSeeds } = await import('../../src/data/formats.ts');
  const config = parseConfig(generateSchema, { ...rest, teacher }, 'generate');
  const examples = readSeeds(seeds ?? defaultSeeds);
  const { withRunContext } = await import('../run-context.ts');
  const { run } = await import('../../recipes/generate.ts');
  const writeCard = await cardWriter(card, out);
  const made = await withRunContext(context, async (opened) =>
    writeCard(await run(config, examples, out, opened), opened),
  );
  tell(made, out, json);
}

async function answers({ card, ...flags }: MadeFlags & { readonly data: string[] }): Promise<void> {
  const { teacher, out, json, context, settings } = splitTeacherFlags(flags);
  const { data, ...rest } = settings as { data: string[] };
  const { answerSchema } = await import('../../recipes/generate-config.ts');
  const { parseConfig } = await import('../../src/run/config.ts');
  const { countTasks, streamTasks } = await import('../../src/data/tasks.ts');
  const config = parseConfig(answerSchema, { ...rest, teacher }, 'generate answers');
  const total = await countTasks(data);
  const { withRunContext } = await import('../run-context.ts');
  const { assertMaySpend, plannedAnswers } = await import('../../recipes/quote.ts');
  const { run } = await import('../../recipes/answer-given.ts');
  const writeCard = await cardWriter(card, out);
  const made = await withRunContext(context, async (opened) => {
    const asked = await opened.teacher(config.teacher);
    const calls = await plannedAnswers(() => streamTasks(data), config, asked);
    assertMaySpend([{ teacher: asked, calls: [calls] }], opened);
    return writeCard(await run(config, () => streamTasks(data), total, out, opened), opened);
  });
  tell(made, out, json);
}

async function translate({ card, ...flags }: MadeFlags & { readonly data: string[] }): Promise<void> {
  const { teacher, out, json, context, settings } = splitTeacherFlags(flags);
  const { data, ...rest } = settings as { data: string[] };
  const { translateSchema } = await import('../../recipes/generate-config.ts');
  const { parseConfig } = await import('../../src/run/config.ts');
  const { countTasks, streamTasks } = await import('../../src/data/tasks.ts');
  const config = parseConfig(translateSchema, { ...rest, teacher }, 'generate translate');
  const { languageName } = await import('../../src/generate/translate.ts');
  languageName(config.to);
  const total = await countTasks(data);
  const { withRunContext } = await import('../run-context.ts');
  const { assertMaySpend, plannedAnswers } = await import('../../recipes/quote.ts');
  const { run } = await import('../../recipes/translate.ts');
  const writeCard = await cardWriter(card, out);
  const made = await withRunContext(context, async (opened) => {
    const asked = await opened.teacher(config.teacher);
    const calls = await plannedAnswers(() => streamTasks(data), config, asked, config.translationTokens);
    assertMaySpend([{ teacher: asked, calls: [calls] }], opened);
    return writeCard(await run(config, () => streamTasks(data), total, out, opened), opened);
  });
  tell(made, out, json);
}

/** Writes the card, where one is wanted; throws ConfigError where it would overwrite the data. */
async function cardWriter(card: MadeFlags['card'], out: string) {
  const file = card === true ? join(out, 'README.md') : card;
  const [data, rejects, tasks] = ['data.jsonl', 'rejects.jsonl', 'tasks.jsonl'].map((name) => join(out, name));
  checkDistinct({ '--card': file, data, rejects, tasks });
  const { writeMadeCard } = await import('../../recipes/made-card.ts');
  return async <Made extends MadeData>(made: Made, { ledger }: RunContext): Promise<Made> => {
    if (file !== undefined) await writeMadeCard(file, out, made, ledger);
    return made;
  };
}

function tell(
  made: { readonly rows: number; readonly file: string; readonly rejected: object; readonly untranslated?: object },
  out: string,
  json: boolean | undefined,
): void {
  if (json) {
    printJson(made);
    return;
  }
  say(`${made.rows} rows in ${out}/${made.file}; rejected: ${JSON.stringify(made.rejected)}`);
  if (made.untranslated) say(`not translated: ${JSON.stringify(made.untranslated)}`);
}
