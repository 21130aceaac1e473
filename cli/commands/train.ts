import { Option } from 'commander';
import type { z } from 'zod';
import type { DpoResult } from '../../recipes/dpo.ts';
import type { DpoConfig } from '../../recipes/dpo-config.ts';
import type { RewardResult } from '../../recipes/reward.ts';
import type { RewardConfig } from '../../recipes/reward-config.ts';
import { ConfigError } from '../../src/base/errors.ts';
import {
  Command,
  command,
  deviceOption,
  fetchModel,
  positiveNumber,
  realNumber,
  wholeNumber,
  withEngine,
} from '../command.ts';
import { printJson, progressBar, say } from '../terminal.ts';
import { grpoCommand, ppoCommand } from './train-rl.ts';
import { parseTrainingSettings } from './training-settings.ts';

export function trainCommand(): Command {
  return new Command('train')
    .description('train a student, or a reward model')
    .addCommand(sftCommand())
    .addCommand(rewardCommand())
    .addCommand(dpoCommand())
    .addCommand(grpoCommand())
    .addCommand(ppoCommand());
}

function sftCommand(): Command {
  const sft = command('sft', 'fine-tune a model on instruction data; goes on where it stopped', [
    'train sft --model builtin --data my-data.json --out my-student',
    'train sft --model base-model --template alpaca --data alpaca.json --epochs 3 --lr 2e-5 --out student',
    'train sft --model org/name --data alpaca.json --lora-rank 16 --out adapters',
    'train sft --config sft.yaml --epochs 1',
  ]);
  return withSftOptions(sft)
    .option('--ignore-memory', 'train even where the memory planned is more than the machine has')
    .option('--json', 'print one JSON document')
    .action(runSft);
}

/** With spaces or commas between. */
export const addTokensOption = (): Option =>
  new Option(
    '--add-tokens <tokens...>',
    'tokens of the template that the model lacks: <|im_start|> <|im_end|>',
  ).argParser((text, before: readonly string[] = []) => [...before, ...text.split(',').map((token) => token.trim())]);

/** The settings of a fine-tuning as flags. */
export const withSftOptions = (command: Command): Command =>
  withTrainingOptions(command, 'Alpaca, ShareGPT or messages files')
    .addOption(addTokensOption())
    .option('--max-train-tokens <n>', 'end after so many tokens', positiveNumber);

function rewardCommand(): Command {
  const reward = command('reward', 'train a reward model on answers that are compared; goes on where it stopped', [
    'train reward --model my-student --data comparisons.jsonl --out my-reward-model',
    'train reward --model org/name --data pairs.jsonl --lora-rank 16 --eval-share 0.2 --out reward-adapters',
  ]);
  return withTrainingOptions(
    reward,
    'answers that are compared: TRL’s types, GPT-4-LLM’s, Alpaca’s with ranked outputs',
  )
    .option('--margin-scale <n>', 'rewards must differ by so much times the scores’ margin (default: 0)', realNumber)
    .option('--centering <n>', 'weight that keeps rewards about 0 (default: 0)', realNumber)
    .option('--ignore-memory', 'train even where the memory planned is more than the machine has')
    .option('--json', 'print one JSON document')
    .action(runReward);
}

function dpoCommand(): Command {
  const dpo = command(
    'dpo',
    'train a model on answers that are compared, without a reward model; goes on where it stopped',
    [
      'train dpo --model my-student --data comparisons.jsonl --out my-dpo-model',
      'train dpo --model my-student --data pairs.jsonl --loss simpo --beta 2 --gamma 1 --lora-rank 16 --out adapters',
    ],
  );
  return withTrainingOptions(dpo, 'answers that are compared: TRL’s types, GPT-4-LLM’s, Alpaca’s with ranked outputs')
    .option('--loss <name>', 'dpo, ipo, or simpo, which needs no reference (default: dpo)')
    .option('--beta <n>', 'how close to stay to the reference (default: 0.1)', realNumber)
    .option('--logprobs <how>', 'over an answer’s tokens: sum (default of dpo) or mean (ipo, simpo)')
    .option('--smoothing <share>', 'pairs taken to be labelled the wrong way round: cDPO (default: 0)', realNumber)
    .option('--gamma <n>', 'by how much the better must win: simpo (default: 0)', realNumber)
    .option('--ignore-memory', 'train even where the memory planned is more than the machine has')
    .option('--json', 'print one JSON document')
    .action(runDpo);
}

/** What every training has as flags. */
function withTrainingOptions(command: Command, data: string): Command {
  return command
    .option(
      '--config <file>',
      'settings in YAML, also by their names in transformers, TRL, PEFT, LLaMA-Factory, Axolotl',
    )
    .option('--model <folder>', 'model to train: a Hugging Face folder, org/name on the hub, or builtin')
    .option('--data <files...>', data)
    .option('--out <folder>', 'folder of the trained model, its log and its checkpoints')
    .option('--template <name>', 'chat template: alpaca, chatml or a Jinja file (default: the model’s own)')
    .option('--dtype <type>', 'compute in auto, float32 or bfloat16 (default: auto)')
    .addOption(deviceOption())
    .option('--lora-rank <n>', 'train low-rank adapters of this rank, saved as a PEFT folder', positiveNumber)
    .option('--lora-alpha <n>', 'the adapters count alpha / rank', realNumber)
    .option('--lora-dropout <share>', 'share of its input that an adapter does not see in training', realNumber)
    .option('--lora-targets <names...>', 'linear layers that get adapters: q_proj, v_proj, …, or all')
    .option('--recompute <when>', 'never, or always: a third more work, a fraction of the memory')
    .option('--epochs <n>', 'passes over the data', positiveNumber)
    .option('--lr <rate>', 'peak learning rate', realNumber)
    .option('--schedule <name>', 'of the learning rate: cosine, linear or constant')
    .option('--warmup-ratio <share>', 'share of the steps spent warming up', realNumber)
    .option('--batch-tokens <n>', 'tokens of one optimizer step', positiveNumber)
    .option('--pack-tokens <n>', 'tokens computed at once: decides the memory', positiveNumber)
    .option('--max-tokens <n>', 'longest conversation', positiveNumber)
    .option('--weight-decay <n>', 'decoupled weight decay', realNumber)
    .option('--max-grad-norm <n>', 'largest global gradient norm; 0 does not clip', realNumber)
    .option('--clip <which>', 'global norm, or each block by itself')
    .option('--step-in-backward', 'step weights as soon as their gradient is there: less memory, one pack a step')
    .option('--checkpoint-every <steps>', 'steps between checkpoints', positiveNumber)
    .option('--keep-checkpoints <n>', 'how many of the newest to keep while training', positiveNumber)
    .option('--eval-share <share>', 'share of the rows held out; the best model on them is the result', realNumber)
    .option('--eval-every-steps <n>', 'steps between evaluations (default: an epoch)', positiveNumber)
    .option('--early-stopping-patience <n>', 'stop after so many evaluations without a new best', positiveNumber)
    .option('--on-non-finite <what>', 'stop, or skip the batch')
    .option('--seed <n>', 'order of the data', wholeNumber)
    .option('--threads <n>', 'threads of the engine', positiveNumber);
}

interface SftFlags {
  readonly config?: string;
  readonly threads?: number;
  readonly ignoreMemory?: boolean;
  readonly json?: boolean;
  /** The settings, some by a shorter name that the table of aliases has: out, lr, checkpointEvery. */
  readonly [flag: string]: unknown;
}

async function runSft({ config: file, threads, ignoreMemory, json, ...flags }: SftFlags): Promise<void> {
  const { sftSchema } = await import('../../recipes/sft-config.ts');
  const { checkSftInput } = await import('../../recipes/sft-input.ts');
  const { checkMemory } = await import('../../recipes/plan-train.ts');
  const { showTraining } = await import('../../recipes/show-training.ts');
  if (file === undefined) requireFlags(flags);
  const config = await parseTrainingSettings(sftSchema, { file, flags, command: 'train sft' });
  checkSftInput(config);
  const result = await withEngine({ threads, device: config.device }, async (engine, signal) => {
    const model = await fetchModel(config.model, signal);
    if (!ignoreMemory) await checkMemory({ ...config, model }, () => engine.call('machine', null), say);
    return showTraining(progressBar('training'), (onEvent) =>
      engine.call('sft', { ...config, model }, { signal, onEvent }),
    );
  });
  if (json) printJson(result);
}

async function runReward(flags: SftFlags): Promise<void> {
  const { rewardSchema } = await import('../../recipes/reward-config.ts');
  await runOnComparisons('reward', rewardSchema, flags);
}

async function runDpo(flags: SftFlags): Promise<void> {
  const { dpoSchema } = await import('../../recipes/dpo-config.ts');
  const { preferenceSettings } = await import('../../recipes/dpo-config.ts');
  await runOnComparisons('dpo', dpoSchema, flags, preferenceSettings);
}

async function runOnComparisons<Config extends RewardConfig | DpoConfig>(
  kind: 'reward' | 'dpo',
  schema: z.ZodType<Config>,
  { config: file, threads, ignoreMemory, json, ...flags }: SftFlags,
  check: (config: Config) => unknown = () => undefined,
): Promise<void> {
  const { checkComparisonInput } = await import('../../recipes/comparison-input.ts');
  const { checkMemory } = await import('../../recipes/plan-train.ts');
  const { showTraining } = await import('../../recipes/show-training.ts');
  if (file === undefined) requireFlags(flags);
  const config = await parseTrainingSettings(schema, { file, flags, command: `train ${kind}` });
  check(config);
  checkComparisonInput(config);
  const result = await withEngine({ threads, device: config.device }, async (engine, signal) => {
    const model = await fetchModel(config.model, signal);
    const own = { ...config, model };
    if (!ignoreMemory) await checkMemory(own, () => engine.call('machine', null), say);
    return showTraining<RewardResult | DpoResult>(progressBar('training'), (onEvent) =>
      engine.call(kind, own as never, { signal, onEvent }),
    );
  });
  if (json) printJson(result);
}

/** A file may give them instead. */
function requireFlags({ model, data, out }: Readonly<Record<string, unknown>>): void {
  const needed = Object.entries({ '--model <folder>': model, '--data <files...>': data, '--out <folder>': out });
  const missing = needed.filter(([, value]) => value === undefined).map(([flag]) => flag);
  if (missing.length === 0) return;
  throw new ConfigError(`required, and not given: ${missing.join(', ')}`, {
    hint: 'give them, or settings in a file: --config sft.yaml',
  });
}
