import { Option } from 'commander';
import type { z } from 'zod';
import type { EngineMethods } from '../../recipes/engine.ts';
import { ConfigError } from '../../src/base/errors.ts';
import { Command, command, deviceOption, positiveNumber, realNumber, wholeNumber } from '../command.ts';
import { progressBar, say } from '../terminal.ts';
import { runTraining, type TrainingFlags } from './run-training.ts';
import { grpoCommand, ppoCommand } from './train-rl.ts';

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
  return trainsBy(withSftOptions(sft), runSft);
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
  withTrainingOptions(reward, comparedAnswers)
    .option('--margin-scale <n>', 'rewards must differ by so much times the scores’ margin (default: 0)', realNumber)
    .option('--centering <n>', 'weight that keeps rewards about 0 (default: 0)', realNumber);
  return trainsBy(reward, runReward);
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
  withTrainingOptions(dpo, comparedAnswers)
    .option('--loss <name>', 'dpo, ipo, or simpo, which needs no reference (default: dpo)')
    .option('--beta <n>', 'how close to stay to the reference (default: 0.1)', realNumber)
    .option('--logprobs <how>', 'over an answer’s tokens: sum (default of dpo) or mean (ipo, simpo)')
    .option('--smoothing <share>', 'pairs taken to be labelled the wrong way round: cDPO (default: 0)', realNumber)
    .option('--gamma <n>', 'by how much the better must win: simpo (default: 0)', realNumber);
  return trainsBy(dpo, runDpo);
}

const comparedAnswers = 'answers that are compared: TRL’s types, GPT-4-LLM’s, Alpaca’s with ranked outputs';

/** With what `plan train` has not, last in the help. */
const trainsBy = (command: Command, run: (flags: Flags) => Promise<void>): Command =>
  command
    .option('--ignore-memory', 'train even where the memory planned is more than the machine has')
    .option('--json', 'print one JSON document')
    .action(run);

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

interface Flags extends TrainingFlags {
  readonly ignoreMemory?: boolean;
}

async function runSft(flags: Flags): Promise<void> {
  const { sftSchema } = await import('../../recipes/sft-config.ts');
  const { checkSftInput } = await import('../../recipes/sft-input.ts');
  await runLearning('sft', sftSchema, flags, checkSftInput);
}

async function runReward(flags: Flags): Promise<void> {
  const { rewardSchema } = await import('../../recipes/reward-config.ts');
  const { checkComparisonInput } = await import('../../recipes/comparison-input.ts');
  await runLearning('reward', rewardSchema, flags, checkComparisonInput);
}

async function runDpo(flags: Flags): Promise<void> {
  const { dpoSchema, preferenceSettings } = await import('../../recipes/dpo-config.ts');
  const { checkComparisonInput } = await import('../../recipes/comparison-input.ts');
  await runLearning('dpo', dpoSchema, flags, (config) => {
    preferenceSettings(config);
    checkComparisonInput(config);
  });
}

/** What learns from rows in one call of the engine. */
async function runLearning<Kind extends 'sft' | 'reward' | 'dpo'>(
  kind: Kind,
  schema: z.ZodType<EngineMethods[Kind]['params']>,
  { ignoreMemory, ...flags }: Flags,
  check: (config: EngineMethods[Kind]['params']) => void,
): Promise<void> {
  const { checkMemory } = await import('../../recipes/plan-train.ts');
  const { resultFiles } = await import('../../recipes/training-config.ts');
  const { showTraining } = await import('../../recipes/show-training.ts');
  if (flags.config === undefined) requireFlags(flags);
  await runTraining({ command: `train ${kind}`, schema, check }, flags, async (config, engine, signal) => {
    const talk = { askEngine: () => engine.call('machine', null), onDoubt: say };
    if (!ignoreMemory) await checkMemory(config, resultFiles[kind], talk);
    return showTraining(progressBar('training'), (onEvent) => engine.call(kind, config, { signal, onEvent }));
  });
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
