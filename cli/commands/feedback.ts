import { dirname } from 'node:path';
import { Option } from 'commander';
import { ConfigError } from '../../src/base/errors.ts';
import {
  type Command,
  command,
  fetchModel,
  interruptible,
  modelFolder,
  positiveNumber,
  realNumber,
  wholeNumber,
} from '../command.ts';
import { printJson } from '../terminal.ts';
import { checkDistinct } from './data-options.ts';
import { splitTeacherFlags, type TeacherFlags, withTeacher } from './generate.ts';

interface FeedbackFlags extends TeacherFlags {
  readonly answers?: string[];
  readonly models?: string[];
  readonly answerers?: string;
  readonly samples?: number;
  readonly answerTokens?: number;
  readonly answerTemperature?: number;
  readonly rejects?: string;
}

export function feedbackCommand(): Command {
  const made = command(
    'feedback',
    'answers of several models to each prompt, scored by a teacher: data to compare by',
    [
      'feedback prompts.jsonl --answers mine=mine.jsonl davinci=davinci.jsonl --provider openai --model gpt-4.1 --budget-usd 5 --out ranked.jsonl',
      'feedback prompts.jsonl --models mine=my-student base=builtin gpt=openai:gpt-4.1-mini --samples 2 --ties head-to-head --provider openai --model gpt-4.1 --budget-usd 20 --form preference --out pairs.jsonl',
      'feedback prompts.jsonl --models mine=my-student --samples 4 --scorer logprob --model builtin --out ranked.jsonl',
    ],
  ).argument(
    '<prompts...>',
    'rows with prompt, instruction, messages or question; or comparisons, whose answers are scored again',
  );
  return withTeacher(made, {
    flag: '--out <file>',
    text: 'comparisons; .json is an array, .jsonl lines, .parquet a table; .gz or .zst behind compresses',
    ledger: 'OUT.ledger.sqlite',
  })
    .option('--answers <name=file...>', 'recorded answers: ours, Vicuna’s, FastChat’s, AlpacaEval’s, messages')
    .option(
      '--models <name=model...>',
      'models that answer: a model folder, org/name, builtin, a .gguf file, openai:MODEL, anthropic:MODEL, openai-compatible:MODEL@URL',
    )
    .option(
      '--answerers <file>',
      'models that answer, in YAML: a list of name, teacher, samples, temperature, maxTokens',
    )
    .option('--samples <n>', 'answers of each of --models to a prompt (default: 1)', positiveNumber)
    .option('--answer-temperature <t>', 'of --models (default: 0, or 1 with several samples)', realNumber)
    .option('--answer-tokens <n>', 'longest answer of --models (default: 1024)', positiveNumber)
    .addOption(
      new Option('--cut <policy>', 'an answer that ends at its limit (default: drop)').choices([
        'drop',
        'longer',
        'keep',
      ]),
    )
    .addOption(
      new Option(
        '--scorer <kind>',
        'judge: the teacher scores 1–10 with a reason; logprob: the local model’s mean log-probability (default: judge)',
      ).choices(['judge', 'logprob']),
    )
    .option(
      '--examples <n>',
      'seed tasks that the scorer logprob is shown before each prompt (default: 0)',
      wholeNumber,
    )
    .option('--seeds <files...>', 'where the examples come from')
    .addOption(
      new Option(
        '--ties <policy>',
        'answers of one score: no pair; the mean of several verdicts; or compared again in both orders (default: drop)',
      ).choices(['drop', 'expected', 'head-to-head']),
    )
    .option('--verdicts <n>', 'on the same answers, averaged (default: 1; 4 with --ties expected)', positiveNumber)
    .option(
      '--at-once <n>',
      'most answers shown in one request; 1: each by itself (default: all of a prompt)',
      positiveNumber,
    )
    .addOption(
      new Option('--partial <policy>', 'a verdict that lacks some of the scores (default: keep)').choices([
        'keep',
        'drop',
      ]),
    )
    .option('--verdict-tokens <n>', 'longest verdict, for each answer shown (default: 160)', positiveNumber)
    .option('--duel-tokens <n>', 'longest verdict head to head (default: 256)', positiveNumber)
    .option('--temperature <t>', 'of the verdicts (default: 0, or 1 with several)', realNumber)
    .option('--seed <n>', 'of the order the answers are shown in (default: 1)', wholeNumber)
    .addOption(
      new Option(
        '--form <form>',
        'ranked: all answers in a row, with reasons and calls; preference: TRL’s pairs with margins; GPT-4-LLM’s versions 1 and 2',
      ).choices(['ranked', 'preference', 'comparison-v1', 'comparison-v2']),
    )
    .option('--rejects <file>', 'what is put aside, with reasons and raw verdicts (default: OUT.rejects.jsonl)')
    .action(feedback);
}

async function feedback(prompts: string[], flags: FeedbackFlags): Promise<void> {
  const { answers = [], models = [], answerers: file, samples, answerTokens, answerTemperature, ...others } = flags;
  const { teacher, out, json, context, settings } = splitTeacherFlags(others);
  const { rejects = `${out}.rejects.jsonl`, ...rest } = settings as { rejects?: string };
  checkDistinct({ '--out': out, '--rejects': rejects });
  if (models.length === 0) refuseAlone({ samples, answerTokens, answerTemperature });
  const { parseConfig } = await import('../../src/run/config.ts');
  const { feedbackSchema } = await import('../../recipes/feedback-config.ts');
  const { namedModel, readAnswerers } = await import('./feedback-models.ts');
  const sampling = { samples, temperature: answerTemperature, maxTokens: answerTokens };
  const named = models.map((text) => ({ ...namedModel(text), ...sampling }));
  const answerers = [...named.map(withoutUndefined), ...(file === undefined ? [] : readAnswerers(file))];
  const config = parseConfig(feedbackSchema, { ...rest, teacher, answerers }, 'feedback');
  for (const one of [config.teacher, ...config.answerers.map((answerer) => answerer.teacher)])
    if (one.provider === 'local') await checkLocal(one.model);
  const { run } = await import('../../recipes/feedback.ts');
  const { survey } = await import('../../recipes/feedback-input.ts');
  const files = { prompts, answers: answers.map(namedFile), out, rejects };
  const surveyed = await interruptible((signal) => survey(files, config.answerers, signal));
  const { withRunContext } = await import('../run-context.ts');
  const opened = { ...context, output: dirname(out), ledger: context.ledger ?? `${out}.ledger.sqlite` };
  const result = await withRunContext(opened, async (runContext) => {
    const { scorer, teacher: judge } = config;
    // A teacher is fetched when it is opened; the scorer is none.
    const isFetched = scorer === 'logprob' && judge.provider === 'local' && judge.model !== 'builtin';
    const model = isFetched ? await fetchModel(judge.model, runContext.signal) : undefined;
    const own = model === undefined ? config : { ...config, teacher: { ...judge, model } as typeof judge };
    return run(own, files, surveyed, runContext);
  });
  if (json) printJson(result);
  const { showFeedback } = await import('./feedback-tables.ts');
  showFeedback(result, json === true);
}

async function checkLocal(model: string): Promise<void> {
  if (model === 'builtin') return;
  const { checkModel } = await import('../../recipes/sft-input.ts');
  checkModel(modelFolder(model));
}

function refuseAlone(flags: Readonly<Record<string, unknown>>): void {
  const found = Object.keys(flags).find((name) => flags[name] !== undefined);
  if (found === undefined) return;
  const flag = `--${found.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new ConfigError(`${flag} is for --models, and none is given`, {
    hint: 'name them as --models NAME=MODEL; in --answerers each model has its own settings',
  });
}

const withoutUndefined = (value: object): object =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined));

function namedFile(text: string): { name: string; file: string } {
  const [, name, file] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || file === undefined)
    throw new ConfigError(`--answers: expected NAME=FILE, got ${JSON.stringify(text)}`);
  return { name, file };
}
