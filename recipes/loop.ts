/**
 * What the paper leaves as future work (Peng et al. 2023, section 6: reinforcement learning with machine-generated feedback):
 * the policy answers, the teacher compares, a reward model learns from all comparisons so far, the policy learns from the
 * reward; again. On prompts held out of all that, the same teacher scores the answers before and after each round. Where the
 * reward did not rise, or rose and the teacher's mean did not, the rounds end and the policy of the round before is kept.
 */
import { basename, join } from 'node:path';
import { writeFileAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { sha256File } from '../src/base/hash.ts';
import { parseJsonl, readJson, readText, toJsonl } from '../src/base/jsonl.ts';
import { Rng } from '../src/base/rng.ts';
import { holdOut } from '../src/data/pack.ts';
import type { Preference } from '../src/data/preferences.ts';
import { readPrompts } from '../src/data/prompts.ts';
import type { BestOfCurve } from '../src/evaluate/best-of-n.ts';
import type { PairAccuracy, RewardCard } from '../src/evaluate/reward-card.ts';
import type { RoundCheck } from '../src/evaluate/round-check.ts';
import type { StageInput, StageResult } from '../src/run/stage.ts';
import type { RunContext } from './context.ts';
import * as feedback from './feedback.ts';
import { survey } from './feedback-input.ts';
import { modelName, rewardsIdentity, teacherIdentity } from './local-models.ts';
import { checkPolicies } from './loop-check.ts';
import { type LoopConfig, scoringOf } from './loop-config.ts';
import { cardFile } from './reward-card.ts';
import * as rl from './rl.ts';
import type { RlResult } from './rl-session.ts';
import { showTraining } from './show-training.ts';

export interface LoopRound {
  readonly round: number;
  /** Folders of its stages. */
  readonly folders: Readonly<Record<'compare' | 'reward' | 'rl' | 'check', string>>;
  /** Of this round: prompts with a pair that says something, and pairs. */
  readonly compared: { readonly prompts: number; readonly pairs: number; readonly ties: number };
  /** Of held-out comparisons, how many the reward model puts in the teacher's order; null where none was held out. */
  readonly rewardAccuracy: Pick<PairAccuracy, 'pairs' | 'accuracy' | 'evidence' | 'longerWins'> | null;
  readonly iterations: number;
  readonly check: RoundCheck;
  /** Picking the best of several answers of the policy before the round. */
  readonly bestOf: BestOfCurve | null;
}

export interface LoopResult {
  /** The policy that is kept. */
  readonly model: string;
  /** Of which round it is; 0: the student, no round brought anything. */
  readonly kept: number;
  readonly rounds: readonly LoopRound[];
  /** Why there are not more. */
  readonly ended: 'all rounds done' | Exclude<RoundCheck['verdict'], 'goes on'>;
}

export interface LoopContext extends RunContext {
  readonly device: string;
  /** Files of seed tasks, for examples. */
  readonly seeds: readonly string[];
  readonly stage: <Result>(
    input: StageInput,
    work: (folder: string) => Promise<Result>,
  ) => Promise<StageResult<Result>>;
}

export async function run(config: LoopConfig, student: string, context: LoopContext): Promise<LoopResult> {
  const prompts = await splitPrompts(config, context);
  const { seeds, ...said } = scoringOf(config, context.seeds);
  const shown = config.examples > 0 ? await Promise.all(seeds.map((file) => sha256File(file))) : [];
  const scoring = { ...said, shown, teacher: await teacherIdentity(config.teacher) };
  const besides = await rewardsIdentity(config.rl.rewards);
  const comparisons: string[] = [];
  const rounds: LoopRound[] = [];
  let policy = student;
  for (let round = 1; round <= config.rounds; round++) {
    const { samples, temperature, maxTokens, heldOut } = config;
    const sampling = { samples, temperature, maxTokens };

    // 1. Sample and score: the teacher compares several answers of the policy to each prompt.
    const before = await modelName(policy);
    const compared = await context.stage(
      {
        name: `compare-${round}`,
        files: [prompts.training],
        settings: { scoring, sampling, drawn: [round, config.seed, config.promptsPerRound ?? 'all'], policy: before },
      },
      (folder) => compare(config, { round, policy, prompts: prompts.training }, folder, context),
    );
    comparisons.push(join(compared.folder, comparisonsFile));

    // 2. A reward model of all comparisons so far, from the student.
    const reward = await context.stage(
      {
        name: `reward-${round}`,
        files: comparisons,
        settings: { ...config.reward, model: await modelName(student) },
      },
      (folder) => trainReward(config, student, comparisons, folder, context),
    );

    // 3. The policy learns from the reward.
    const judge = await modelName(reward.folder);
    const learned = await context.stage(
      {
        name: `rl-${round}`,
        files: [prompts.training],
        settings: { ...config.rl, rewards: besides, policy: before, reward: judge },
      },
      (folder) => reinforce(config, { policy, reward: reward.folder, prompts: prompts.training }, folder, context),
    );
    const after = join(learned.folder, policyFolder);

    // 4. Did the answers become better, by the teacher's word?
    const checked = await context.stage(
      {
        name: `check-${round}`,
        files: [prompts.heldOut],
        settings: { scoring, sampling, heldOut, before, after: await modelName(after), reward: judge },
      },
      (folder) =>
        checkPolicies(config, { before: policy, after, reward: reward.folder }, prompts.heldOut, folder, context),
    );
    const { check, bestOf } = checked.result;
    context.progress(`round ${round}`).finish(inWords(check));
    rounds.push({
      round,
      folders: { compare: compared.folder, reward: reward.folder, rl: learned.folder, check: checked.folder },
      compared: compared.result,
      rewardAccuracy: reward.result,
      iterations: learned.result.iterations,
      check,
      bestOf,
    });
    if (check.verdict !== 'goes on') return { model: policy, kept: round - 1, rounds, ended: check.verdict };
    policy = after;
  }
  return { model: policy, kept: config.rounds, rounds, ended: 'all rounds done' };
}

function inWords({ reward, judge, verdict, prompts }: RoundCheck): string {
  const gain = (of: RoundCheck['reward']) =>
    of ? `${signed(of.gain.mean)} [${signed(of.gain.low)}, ${signed(of.gain.high)}]` : 'unknown';
  return `reward ${gain(reward)}, teacher ${gain(judge)} on ${prompts} held-out prompts: ${verdict}`;
}

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`;

const comparisonsFile = 'comparisons.jsonl';
/** In the folder of a round's learning: the policy whole, its adapters merged. */
const policyFolder = 'policy';

async function splitPrompts(
  config: LoopConfig,
  { stage }: LoopContext,
): Promise<{ training: string; heldOut: string }> {
  const { prompts: files, heldOut: count, seed } = config;
  const { folder } = await stage({ name: 'prompts', files, settings: { heldOut: count, seed } }, async (folder) => {
    const several = files.length > 1;
    const all = files.flatMap((file, i) =>
      readPrompts(file).map((prompt) => ({ ...prompt, id: several ? `${i + 1}/${prompt.id}` : prompt.id })),
    );
    const { training, heldOut } = holdOut(all, count / all.length, seed);
    writeFileAtomic(join(folder, 'training.jsonl'), toJsonl(training));
    writeFileAtomic(join(folder, 'held-out.jsonl'), toJsonl(heldOut));
    return { training: training.length, heldOut: heldOut.length };
  });
  return { training: join(folder, 'training.jsonl'), heldOut: join(folder, 'held-out.jsonl') };
}

async function compare(
  config: LoopConfig,
  { round, policy, prompts }: { readonly round: number; readonly policy: string; readonly prompts: string },
  folder: string,
  context: LoopContext,
): Promise<LoopRound['compared']> {
  const { samples, temperature, maxTokens, promptsPerRound, seed } = config;
  const all = parseJsonl(readText(prompts), prompts).map(({ value }) => value);
  const drawn = join(folder, 'prompts.jsonl');
  const most = Math.min(promptsPerRound ?? all.length, all.length);
  writeFileAtomic(drawn, toJsonl(new Rng('prompts of a round', seed, round).sample(all, most)));
  const teacher = { provider: 'local', model: policy } as const;
  const answerers = [{ name: 'policy', teacher, samples, temperature, maxTokens }];
  const out = join(folder, comparisonsFile);
  const files = { prompts: [drawn], answers: [], out, rejects: join(folder, 'rejects.jsonl') };
  const surveyed = await survey(files, answerers, context.signal);
  const result = await feedback.run({ ...scoringOf(config, context.seeds), answerers }, files, surveyed, context);
  writeJsonAtomic(join(folder, 'feedback.json'), result);
  // Rows name the file of their prompt; where the run's folder stands is no part of what was said.
  const rows = parseJsonl(readText(out), out).map(({ value }) => value as Preference);
  const named = rows.map((row) => ({ ...row, provenance: { ...row.provenance, file: basename(drawn) } }));
  writeFileAtomic(out, toJsonl(named));
  return { prompts: result.written, pairs: result.yield.pairs, ties: result.yield.ties };
}

async function trainReward(
  { reward }: LoopConfig,
  student: string,
  data: readonly string[],
  folder: string,
  { engine, device, signal, progress }: LoopContext,
): Promise<LoopRound['rewardAccuracy']> {
  const settings = { ...reward, device: device as never, model: student, data: [...data], output: folder };
  const opened = await engine();
  const { heldOutFile } = await showTraining(progress('reward model'), (onEvent) =>
    opened.call('reward', settings, { signal, onEvent }),
  );
  const { all } = heldOutFile ? (readJson(join(folder, cardFile)) as RewardCard) : { all: null };
  return all && { pairs: all.pairs, accuracy: all.accuracy, evidence: all.evidence, longerWins: all.longerWins };
}

async function reinforce(
  { rl: settings }: LoopConfig,
  { policy, reward, prompts }: { readonly policy: string; readonly reward: string; readonly prompts: string },
  folder: string,
  context: LoopContext,
): Promise<RlResult> {
  const { engine: open, device, signal, progress } = context;
  const engine = await open();
  const rewards = [{ kind: 'model', model: reward, weight: 1 } as const, ...settings.rewards];
  const config = { ...settings, device: device as never, model: policy, data: [prompts], output: folder, rewards };
  const result = await rl.run(config, { engine, signal, progress: progress(settings.algorithm), asking: context });
  await engine.call('merge', { adapter: folder, output: join(folder, policyFolder), dtype: 'float32' });
  return result;
}
