import { ConfigError } from '../../src/base/errors.ts';
import { type Command, command, positiveNumber, realNumber, wholeNumber } from '../command.ts';
import { printJson, say } from '../terminal.ts';

interface GenerateFlags {
  readonly provider: string;
  readonly model?: string;
  readonly baseUrl?: string;
  readonly apiKeyEnv?: string;
  readonly concurrency?: number;
  readonly recorded?: string[];
  readonly seeds: string[];
  readonly out: string;
  readonly ledger?: string;
  readonly budgetUsd?: number;
  readonly yes?: boolean;
  readonly threads?: number;
  readonly json?: boolean;
  readonly [setting: string]: unknown;
}

export function generateCommand(): Command {
  return command('generate', 'a teacher writes new instructions from seed tasks and answers them (Self-Instruct)', [
    'generate --provider local --count 20 --out my-data',
    'generate --provider openai --model gpt-4.1-mini --budget-usd 2 --count 200 --out my-data',
    'generate --provider openai-compatible --base-url http://localhost:8000/v1 --model my-model --count 50 --out my-data',
  ])
    .option('--provider <name>', 'openai, anthropic, openai-compatible, recorded or local', 'local')
    .option('--model <name>', 'as the provider spells it; for local a model folder or builtin')
    .option('--base-url <url>', 'address of an OpenAI-compatible server')
    .option('--api-key-env <name>', 'environment variable that holds the key')
    .option('--concurrency <n>', 'calls in flight', positiveNumber)
    .option('--recorded <files...>', 'answers that the provider `recorded` replays')
    .option('--seeds <files...>', 'seed tasks; default: the project’s own English ones')
    .requiredOption('--count <n>', 'instructions asked for; filters take some away', positiveNumber)
    .requiredOption('--out <folder>', 'folder of data.jsonl, rejects.jsonl and the ledger')
    .option('--languages <codes...>', 'en, zh')
    .option('--examples-per-prompt <n>', 'seed tasks shown when a new one is asked for', positiveNumber)
    .option('--answer-examples <n>', 'seed tasks shown, answered, before a new one is answered', wholeNumber)
    .option('--instruction-tokens <n>', 'longest instruction', positiveNumber)
    .option('--answer-tokens <n>', 'longest answer', positiveNumber)
    .option('--temperature <t>', 'of the instructions', realNumber)
    .option('--seed <n>', 'of the examples drawn', wholeNumber)
    .option('--ledger <file>', 'file of paid calls; default: ledger.sqlite in the folder. May be shared')
    .option('--budget-usd <usd>', 'most the teacher may cost', realNumber)
    .option('--yes', 'spend without a limit')
    .option('--threads <n>', 'threads of the engine', positiveNumber)
    .option('--json', 'print one JSON document')
    .action(generate);
}

async function generate(flags: GenerateFlags): Promise<void> {
  const { provider, model, baseUrl, apiKeyEnv, concurrency, recorded, seeds, out, json, ...rest } = flags;
  const { ledger, budgetUsd, yes, threads, ...settings } = rest;
  const { defaultSeeds, generateSchema } = await import('../../recipes/generate-config.ts');
  const { parseConfig } = await import('../../src/run/config.ts');
  const { readSeeds } = await import('../../src/data/formats.ts');
  if (provider === 'openai-compatible' && baseUrl === undefined) {
    throw new ConfigError('the provider openai-compatible needs --base-url', {
      hint: 'for example http://localhost:8000/v1',
    });
  }
  const vendor = { model, baseUrl, apiKeyEnv, concurrency };
  const given = Object.entries({ provider, ...vendor, files: recorded }).filter(([, value]) => value !== undefined);
  const config = parseConfig(generateSchema, { ...settings, teacher: Object.fromEntries(given) }, 'generate');
  const examples = readSeeds(seeds ?? defaultSeeds);
  const { withRunContext } = await import('../run-context.ts');
  const { run } = await import('../../recipes/generate.ts');
  const made = await withRunContext({ output: out, ledger, budgetUsd, yes, threads }, (context) =>
    run(config, examples, out, context),
  );
  if (json) printJson(made);
  else say(`${made.rows} rows in ${out}/${made.file}; rejected: ${JSON.stringify(made.rejected)}`);
}
