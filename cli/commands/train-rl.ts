import type { z } from 'zod';
import type { Asking } from '../../recipes/context.ts';
import type { RlConfig } from '../../recipes/rl-config.ts';
import { ConfigError } from '../../src/base/errors.ts';
import {
  type Command,
  command,
  deviceOption,
  fetchModel,
  positiveNumber,
  realNumber,
  wholeNumber,
} from '../command.ts';
import { withAsking } from '../run-context.ts';
import { progressBar } from '../terminal.ts';
import { runTraining, type TrainingFlags } from './run-training.ts';

interface RlFlags extends TrainingFlags {
  readonly rewardModel?: string;
  readonly maxWords?: number;
  readonly regex?: string;
  readonly ledger?: string;
  readonly budgetUsd?: number;
  readonly yes?: boolean;
}

export function grpoCommand(): Command {
  return withRlOptions(
    command('grpo', 'a policy learns from rewards: answers to a prompt against each other (GRPO, RLOO)', [
      'train grpo --model my-student --data prompts.json --reward-model my-reward-model --out my-policy',
      'train grpo --model builtin --data prompts.json --max-words 8 --regex "\\.$" --out short-answers',
      'train grpo --config grpo.yaml',
    ]),
  )
    .option('--samples <n>', 'answers to a prompt: a group (default: 8)', positiveNumber)
    .option('--baseline <which>', 'grpo: the mean of all; rloo: of the others')
    .option('--kl-beta <n>', 'weight of the divergence from the reference in the loss (default: 0)', realNumber)
    .action((flags: RlFlags) => runRl('grpo', flags));
}

export function ppoCommand(): Command {
  return withRlOptions(
    command('ppo', 'a policy learns from rewards, with a critic (PPO)', [
      'train ppo --model my-student --data prompts.json --reward-model my-reward-model --out my-policy',
      'train ppo --config ppo.yaml',
    ]),
  )
    .option('--samples <n>', 'answers to a prompt (default: 1)', positiveNumber)
    .option(
      '--kl-beta <n>',
      'of the divergence from the reference, off every token’s reward (default: 0.05)',
      realNumber,
    )
    .option('--kl-target <nats>', 'an answer: klBeta follows it', realNumber)
    .action((flags: RlFlags) => runRl('ppo', flags));
}

const withRlOptions = (command: Command): Command =>
  command
    .option('--config <file>', 'settings in YAML; rewards too, a teacher’s among them, with their weights')
    .option('--model <folder>', 'the policy at first, and its reference: a folder, org/name on the hub, or builtin')
    .option('--data <files...>', 'files whose prompts are answered')
    .option('--out <folder>', 'folder of the trained adapters, their log and checkpoints')
    .option('--reward-model <folder>', 'rewards by a reward model')
    .option('--max-words <n>', 'reward 1 for answers of at most so many words', positiveNumber)
    .option('--regex <pattern>', 'reward 1 for answers that match')
    .option('--budget-usd <usd>', 'most that a teacher among the rewards may cost', realNumber)
    .option('--yes', 'spend without a limit')
    .option('--ledger <file>', 'paid calls (default: ledger.sqlite in the output folder)')
    .option('--template <name>', 'chat template: alpaca, chatml or a Jinja file (default: the model’s own)')
    .option('--dtype <type>', 'compute in auto, float32 or bfloat16 (default: auto)')
    .addOption(deviceOption())
    .option('--lora-rank <n>', 'of the adapters that are trained (default: 16)', positiveNumber)
    .option('--lora-alpha <n>', 'the adapters count alpha / rank (default: 32)', realNumber)
    .option('--iterations <n>', 'of sampling, scoring and learning (default: 50)', positiveNumber)
    .option('--prompts-per-iteration <n>', 'default: 16', positiveNumber)
    .option('--max-new-tokens <n>', 'of an answer (default: 128)', positiveNumber)
    .option('--temperature <n>', 'of sampling, and of the log-probabilities (default: 1)', realNumber)
    .option('--update-epochs <n>', 'passes over what an iteration sampled', positiveNumber)
    .option('--minibatches <n>', 'optimizer steps a pass (default: 1)', positiveNumber)
    .option('--lr <rate>', 'learning rate (default: 1e-4)', realNumber)
    .option('--truncated <how>', 'answers cut at the most tokens: keep, mask or penalty (default: keep)')
    .option('--loss-average <how>', 'what counts alike: token or sequence (default: token)')
    .option('--pack-tokens <n>', 'tokens computed at once: decides the memory', positiveNumber)
    .option('--checkpoint-every-iterations <n>', 'default: 10', positiveNumber)
    .option('--seed <n>', 'order of the prompts, and the sampling', wholeNumber)
    .option('--threads <n>', 'threads of the engine', positiveNumber)
    .option('--json', 'print one JSON document');

async function runRl(kind: 'grpo' | 'ppo', given: RlFlags): Promise<void> {
  const { grpoSchema, ppoSchema } = await import('../../recipes/rl-config.ts');
  const { run } = await import('../../recipes/rl.ts');
  const { checkRlInput, mapRewardModels } = await import('../../recipes/rl-input.ts');
  const { rewardModel, maxWords, regex, ledger, budgetUsd, yes, ...flags } = given;
  const rewards = [
    ...(rewardModel === undefined ? [] : [{ kind: 'model', model: rewardModel }]),
    ...(maxWords === undefined ? [] : [{ kind: 'words', atMost: maxWords }]),
    ...(regex === undefined ? [] : [{ kind: 'regex', pattern: regex }]),
  ];
  if (flags.config === undefined && rewards.length === 0) {
    throw new ConfigError(`train ${kind}: nothing says what an answer earns`, {
      hint: 'give --reward-model FOLDER, --max-words N or --regex PATTERN, or rewards in a file: --config',
    });
  }
  const schema: z.ZodType<RlConfig> = kind === 'grpo' ? grpoSchema : ppoSchema;
  await runTraining(
    { command: `train ${kind}`, schema, check: checkRlInput },
    { ...flags, ...(rewards.length > 0 && { rewards }) },
    async (named, engine, signal) => {
      const rewards = await mapRewardModels(named.rewards, (model) => fetchModel(model, signal));
      const config = { ...named, rewards };
      const learn = (asking?: Asking) =>
        run(config, { engine, signal, progress: progressBar(`train ${kind}`), asking });
      if (config.rewards.every((one) => one.kind !== 'teacher')) return learn();
      return withAsking({ output: config.output, ledger, budgetUsd, yes }, { engine, signal }, learn);
    },
  );
}
