/**
 * Reinforcement learning (the paper's future work; PPO, GRPO, RLOO): sample answers with the policy's current weights, say
 * what each has earned, learn from it; again. What a round does to the weights is rl-session.ts's, in the engine's process;
 * what answers earn is rl-rewards.ts's.
 *
 * Which prompts a round takes, and every random number in it, follow from the seed and the round: resumed at a round's
 * border equals uninterrupted. Every answer and what it earned is a row of rollouts.jsonl.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { InterruptedError, throwIfAborted } from '../src/base/errors.ts';
import { JsonlLog, keepRows } from '../src/base/jsonl.ts';
import { lockFolder } from '../src/base/lock.ts';
import { Rng } from '../src/base/rng.ts';
import { type Prompt, readPrompts } from '../src/data/prompts.ts';
import type { Progress } from '../src/run/progress.ts';
import { type HealthFigures, healthWarnings } from '../src/train/rl-health.ts';
import type { Asking } from './context.ts';
import type { Engine } from './engine.ts';
import type { RlConfig } from './rl-config.ts';
import { assertMayReward, type Earned, rewardAll } from './rl-rewards.ts';
import type { SampledAnswer } from './rl-sampling.ts';
import type { RlResult } from './rl-session.ts';

export interface RlContext {
  readonly engine: Pick<Engine, 'call'>;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Where a teacher rewards. */
  readonly asking?: Asking | undefined;
}

/** A line of train.jsonl: an iteration. */
interface IterationRow extends HealthFigures {
  readonly step: number;
  readonly seconds: number;
  readonly secondsOf: { readonly sampling: number; readonly rewarding: number; readonly learning: number };
  readonly metrics: Readonly<Record<string, number>>;
}

const logFile = 'train.jsonl';
const rolloutsFile = 'rollouts.jsonl';

export async function run(config: RlConfig, { engine, signal, progress, asking }: RlContext): Promise<RlResult> {
  mkdirSync(config.output, { recursive: true });
  const lock = await lockFolder(config.output, { onWait: (owner) => progress.note(`waiting for ${owner}`), signal });
  try {
    const prompts = config.data.flatMap((file) => readPrompts(file));
    await assertMayReward(config, prompts, asking);
    const onEvent = ({ note }: { readonly note?: string }) => note !== undefined && progress.note(note);
    const opened = await engine.call('rlOpen', { config, learned: prompts }, { signal, onEvent });
    if (opened.result) return opened.result;
    const log = new IterationLog(config.output, opened.done);
    const warned = new Set<string>();
    let saved = opened.done;
    let isLearning = false;
    const save = async (iteration: number) => {
      const history = log.rows.map(({ step, metrics }) => ({ step, ...metrics }));
      await engine.call('rlSave', { iteration, history });
      saved = iteration;
    };

    try {
      for (let iteration = opened.done + 1; iteration <= config.iterations; iteration++) {
        const took = stopwatch();
        const chosen = promptsAt(prompts, config, iteration);
        const asked = chosen.map(({ id, messages }) => ({ id, messages }));
        const answers = await engine.call('rlSample', { iteration, prompts: asked }, { signal });
        const sampling = took();
        const rewards = await rewardAll(config, chosen, answers, { engine, signal, asking });
        const rewarding = took();
        const given = { iteration, rewards: rewards.map(({ total }) => total) };
        isLearning = true;
        const { metrics, ...figures } = await engine.call('rlLearn', given, { signal, onEvent });
        isLearning = false;
        const secondsOf = { sampling, rewarding, learning: took() };
        const seconds = sampling + rewarding + secondsOf.learning;
        log.append({ step: iteration, seconds, secondsOf, ...figures, metrics }, chosen, answers, rewards);
        for (const warning of healthWarnings(log.rows)) {
          const kind = warning.slice(0, 20);
          if (!warned.has(kind)) progress.note(`iteration ${iteration}: ${warning}`);
          warned.add(kind);
        }
        const { reward, kl, length } = figures;
        const told = `reward ${reward.toFixed(3)}  kl ${kl.toFixed(2)}  ${length.toFixed(0)} tokens an answer`;
        progress.update(iteration, config.iterations, told);
        if (iteration === config.iterations) break;
        if (iteration % config.checkpointEveryIterations === 0) await save(iteration);
        throwIfAborted(signal);
      }
    } catch (error) {
      // An iteration that is broken off has changed nothing: the one before it is what can be saved. One that failed while it
      // learned may have changed the weights.
      const done = log.rows.at(-1)?.step ?? 0;
      const isInterrupted = error instanceof InterruptedError;
      if (done === 0 || (isLearning && !isInterrupted)) throw error;
      if (!isInterrupted) {
        // Where the engine itself is gone there is nothing to save, and the first failure is the one to tell.
        if (done > saved)
          await save(done).then(
            () => progress.note(`saved after iteration ${done}`),
            () => undefined,
          );
        throw error;
      }
      if (done > saved) await save(done);
      throw new InterruptedError(`saved after iteration ${done}; run the same command again to go on`);
    }
    log.close();
    const result = await engine.call('rlFinish', null);
    progress.finish(`${result.iterations} iterations, ${result.model}`);
    return result;
  } finally {
    lock.release();
  }
}

/** Seconds since it was asked last. */
function stopwatch(): () => number {
  let sinceMs = performance.now();
  return () => {
    const nowMs = performance.now();
    const seconds = (nowMs - sinceMs) / 1000;
    sinceMs = nowMs;
    return seconds;
  };
}

/** Every prompt once, in an order of its own, before any comes again. */
export function promptsAt(
  prompts: readonly Prompt[],
  { promptsPerIteration, seed }: RlConfig,
  iteration: number,
): Prompt[] {
  const first = (iteration - 1) * promptsPerIteration;
  const orders = new Map<number, Prompt[]>();
  const chosen = Array.from({ length: promptsPerIteration }, (_, i) => {
    const round = Math.floor((first + i) / prompts.length);
    const order = orders.get(round) ?? new Rng('prompts', seed, round).shuffle(prompts);
    orders.set(round, order);
    return order[(first + i) % prompts.length] as Prompt;
  });
  // Where a round ends and the next begins, a prompt may come twice: its answers are one group.
  return [...new Map(chosen.map((prompt) => [prompt.id, prompt])).values()];
}

/** Iterations and their answers up to where the run is gone on with; what came after is made again. */
class IterationLog {
  readonly rows: IterationRow[];
  readonly #lines: JsonlLog;
  readonly #rollouts: JsonlLog;

  constructor(output: string, done: number) {
    const upTo = <Row extends { readonly step: number }>(name: string) =>
      keepRows<Row>(join(output, name), ({ step }) => step <= done);
    this.rows = upTo<IterationRow>(logFile);
    upTo(rolloutsFile);
    this.#lines = new JsonlLog(join(output, logFile));
    this.#rollouts = new JsonlLog(join(output, rolloutsFile));
  }

  append(
    row: IterationRow,
    prompts: readonly Prompt[],
    answers: readonly SampledAnswer[],
    rewards: readonly Earned[],
  ): void {
    this.rows.push(row);
    const askedIn = new Map(prompts.map(({ id, messages }) => [id, messages.at(-1)?.content]));
    answers.forEach((answer, i) => {
      this.#rollouts.append({
        step: row.step,
        asked: askedIn.get(answer.prompt),
        ...answer,
        reward: rewards[i]?.total,
        ...rewards[i]?.parts,
      });
    });
    this.#lines.append(row);
  }

  close(): void {
    this.#lines.close();
    this.#rollouts.close();
  }
}
