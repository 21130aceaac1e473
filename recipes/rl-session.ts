/**
 * Reinforcement learning where the weights are: the policy samples with its current weights, and learns from what its
 * answers earned. rl.ts goes round; this is what a round does.
 *
 *   PPO (Schulman et al. 2017; Ouyang et al. 2022)   a token's reward is −β (log π − log ref), the last one's the answer's
 *       besides; values by a head on the same trunk; advantages by GAE, whitened over all tokens.
 *   GRPO, RLOO (Shao et al. 2024; Ahmadian et al. 2024)   an answer's advantage is its reward against the other answers to
 *       the prompt; no critic; the divergence, if it counts, is part of the loss.
 *
 * The policy is adapters over a frozen trunk, and the reference the trunk without them. Old log-probabilities come from the
 * training forward at the temperature that sampled, never from the decoder; how far the two are apart is logged.
 */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { addFilesAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { throwIfAborted, WorkError } from '../src/base/errors.ts';
import { Rng } from '../src/base/rng.ts';
import { fillRuns } from '../src/base/runs.ts';
import { loadModel, resolveDtype } from '../src/local/loaded-model.ts';
import { adaptedBeta, tokenWeights } from '../src/loss/policy.ts';
import { scalarHeadName } from '../src/model/config.ts';
import { Decoder } from '../src/model/decoder.ts';
import { labelPositions, splitByDocument } from '../src/text/labels.ts';
import { zeros } from '../src/torch/ops.ts';
import { sourceOf } from '../src/torch/safetensors.ts';
import { keep, scope } from '../src/torch/tensor.ts';
import {
  loadMoments,
  removeCheckpoints,
  saveCheckpoint,
  sourcesOf,
  type TrainerState,
} from '../src/train/checkpoint.ts';
import { Gradients } from '../src/train/gradients.ts';
import { currentNumerics } from '../src/train/numerics.ts';
import { AdamW } from '../src/train/optimizer.ts';
import { learningRateAt } from '../src/train/schedule.ts';
import { Update } from '../src/train/update.ts';
import { rewardsIdentity } from './local-models.ts';
import { type RlConfig, trainingConfigOf } from './rl-config.ts';
import { type RlFigures, RlMeter } from './rl-figures.ts';
import { moves, policyDerivatives, type Rollout, setGroupAdvantages, setTokenAdvantages } from './rl-rollouts.ts';
import { type RlPrompt, type SampledAnswer, sampleAnswers } from './rl-sampling.ts';
import type { StudentModel } from './sft-tokens.ts';
import { finishedRun, identityOf, resumable } from './training-folder.ts';
import { modelFile, openStudent, type Student } from './training-student.ts';

/** Also written to rl.json beside the adapters. */
export interface RlResult {
  readonly model: string;
  readonly algorithm: RlConfig['algorithm'];
  readonly iterations: number;
  readonly identity: string;
}

export interface RlOpened {
  /** Iterations done before. */
  readonly done: number;
  /** Where all of them are. */
  readonly result: RlResult | undefined;
}

const resultFile = 'rl.json';

export class RlSession {
  readonly #config: RlConfig;
  readonly #model: StudentModel;
  readonly #student: Student;
  readonly #optimizer: AdamW;
  readonly #identity: string;
  #beta: number;
  #rollouts: Rollout[] = [];
  #updates = 0;

  /** What stands in the folder is gone on with; undefined: it is done. `learned`: the prompts. */
  static async open(
    config: RlConfig,
    learned: unknown,
    note: (text: string) => void,
  ): Promise<RlOpened & { readonly session?: RlSession }> {
    const training = trainingConfigOf(config);
    const loaded = loadModel(config.model, { dtype: config.dtype, template: config.template });
    const identity = await identityOf(training, loaded, {
      prompts: learned,
      rewards: await rewardsIdentity(config.rewards),
    });
    const result = finishedRun<RlResult>(training, resultFile, identity);
    if (result) {
      loaded.decoder.release();
      return { done: result.iterations, result };
    }
    const numerics = currentNumerics(resolveDtype(config.dtype));
    const checkpoint = resumable(config.output, identity, numerics, { unit: 'iteration', note });
    const done = checkpoint?.state.global_step ?? 0;
    const model = { ...loaded, decoder: withValues(loaded.decoder, config), changedFiles: new Map<string, object>() };
    const student = openStudent(training, model, checkpoint, []);
    const optimizer = new AdamW(student.working, student.master, config, checkpoint && loadMoments(checkpoint));
    const beta = checkpoint?.state.understudy.extra?.['beta'] ?? config.klBeta;
    return { done, result: undefined, session: new RlSession(config, model, student, optimizer, identity, beta) };
  }

  private constructor(
    config: RlConfig,
    model: StudentModel,
    student: Student,
    optimizer: AdamW,
    identity: string,
    beta: number,
  ) {
    this.#config = config;
    this.#model = model;
    this.#student = student;
    this.#optimizer = optimizer;
    this.#identity = identity;
    this.#beta = beta;
  }

  /** Answers of the policy as it is, `samples` to a prompt; what is learned from next. */
  async sample(
    iteration: number,
    prompts: readonly RlPrompt[],
    options: { signal: AbortSignal; onProgress: (done: number) => void },
  ): Promise<SampledAnswer[]> {
    const { decoder } = this.#student.executor;
    const { answers, rollouts } = await sampleAnswers(decoder, this.#model, this.#config, iteration, prompts, options);
    this.#rollouts = rollouts;
    return answers;
  }

  /**
   * From what the answers sampled last earned: NaN where nobody could say, which leaves an answer out. Cancelled, it has
   * changed nothing.
   */
  async learn(
    iteration: number,
    given: readonly number[],
    { signal, note }: { signal: AbortSignal; note: (text: string) => void },
  ): Promise<RlFigures> {
    const { truncated, truncatedReward } = this.#config;
    const meter = new RlMeter();
    const kept = this.#rollouts.flatMap((rollout, i) => {
      const earned = truncated === 'penalty' && rollout.truncated ? truncatedReward : (given[i] as number);
      const out =
        !Number.isFinite(earned) || rollout.document.labelTokens === 0 || (truncated === 'mask' && rollout.truncated);
      return out ? [] : [{ rollout, reward: earned }];
    });
    meter.sampled(this.#rollouts, given, kept.length);
    const rollouts = kept.map(({ rollout }) => rollout);
    const rewards = kept.map(({ reward }) => reward);
    await this.#readReference(rollouts, signal);
    if (this.#config.algorithm === 'ppo') {
      await this.#readOld(rollouts, signal);
      setTokenAdvantages(rollouts, rewards, this.#beta, this.#config);
    } else {
      setGroupAdvantages(rollouts, rewards, this.#config, meter);
      // A single step is taken where the policy still is what sampled: its own forward says what this would read.
      const once = this.#config.updateEpochs * this.#config.minibatches === 1;
      await this.#readOld(once ? rollouts.filter((rollout) => !moves(rollout, this.#config)) : rollouts, signal);
    }
    const first = iteration === 1 && this.#updates === 0;
    await this.#update(iteration, rollouts, meter, note);
    if (first) this.#mustBeReference(rollouts);
    meter.policy(rollouts, this.#beta);
    const figures = meter.figures();
    if (this.#config.algorithm === 'ppo' && this.#config.klTarget !== undefined && rollouts.length > 0) {
      const { klTarget: target, klHorizon: horizon } = this.#config;
      this.#beta = adaptedBeta(this.#beta, figures.kl, { target, horizon, steps: rollouts.length });
    }
    return figures;
  }

  /** What the policy that sampled says, by the training forward. */
  async #readOld(rollouts: readonly Rollout[], signal: AbortSignal): Promise<void> {
    const { temperature, algorithm } = this.#config;
    for await (const { pack, documents } of this.#packsOf(rollouts, signal)) {
      const outputs = this.#student.executor.read(documents, {
        logprobs: { temperature },
        ...(algorithm === 'ppo' && { valuesAt: labelPositions(documents).positions }),
      });
      const counts = documents.map(({ labelTokens }) => labelTokens);
      const [logprobs, values] = [splitByDocument(outputs.logprobs, counts), splitByDocument(outputs.values, counts)];
      pack.forEach((rollout, i) => {
        rollout.old = logprobs[i] as Float64Array;
        rollout.oldValues = values[i] as Float64Array;
      });
    }
  }

  /** By the same weights without the adapters. Where it does not count, too: a policy that runs off must be seen. */
  async #readReference(rollouts: readonly Rollout[], signal: AbortSignal): Promise<void> {
    const { temperature } = this.#config;
    for await (const { pack, documents } of this.#packsOf(rollouts, signal)) {
      const { logprobs } = this.#student.executor.read(documents, { logprobs: { temperature } }, { adapters: false });
      const counts = documents.map(({ labelTokens }) => labelTokens);
      splitByDocument(logprobs, counts).forEach((own, i) => {
        (pack[i] as Rollout).reference = own;
      });
    }
  }

  /** Between packs a cancelled run gets to know it. */
  async *#packsOf(rollouts: readonly Rollout[], signal: AbortSignal) {
    for (const pack of fillRuns(rollouts, rowsBehind, this.#config.packTokens)) {
      yield { pack, documents: pack.map(({ document }) => document) };
      await setImmediate();
      throwIfAborted(signal);
    }
  }

  /** Before anything was learned the policy was its reference. */
  #mustBeReference(rollouts: readonly Rollout[]): void {
    const tokens = rollouts.reduce((sum, { old }) => sum + old.length, 0);
    const gap = rollouts.reduce(
      (sum, { old, reference }) => old.reduce((s, one, t) => s + Math.abs(one - reference[t]!), sum),
      0,
    );
    if (gap / Math.max(1, tokens) <= this.#tolerance) return;
    if (!Number.isFinite(gap)) {
      throw new WorkError(`${this.#config.model} gives its own answers log-probabilities that are not finite`, {
        hint: 'the model is broken: look whether its loss stayed finite in training; or try --dtype float32',
      });
    }
    throw new WorkError(`before the first step the policy is ${gap / tokens} nats a token from its reference, not 0`, {
      hint: 'this is a fault of Understudy: please report it with the model’s config.json',
    });
  }

  get #tolerance(): number {
    return this.#student.executor.decoder.dtype === 'bfloat16' ? 0.1 : 1e-3;
  }

  /** Some passes over what was sampled, each in some optimizer steps. */
  async #update(
    iteration: number,
    rollouts: readonly Rollout[],
    meter: RlMeter,
    note: (text: string) => void,
  ): Promise<void> {
    const { updateEpochs, minibatches, iterations, seed } = this.#config;
    const schedule = { ...this.#config, minRatio: this.#config.minLearningRateRatio };
    for (let pass = 0; pass < updateEpochs; pass++) {
      const shuffled = new Rng('update', seed, iteration, pass).shuffle(rollouts);
      for (let batch = 0; batch < minibatches; batch++) {
        const number = ((iteration - 1) * updateEpochs + pass) * minibatches + batch + 1;
        const from = Math.floor((batch * shuffled.length) / minibatches);
        const own = shuffled.slice(from, Math.floor(((batch + 1) * shuffled.length) / minibatches));
        // Side by side, answers to one prompt have it computed once.
        own.sort((a, b) => (a.prompt < b.prompt ? -1 : Number(a.prompt > b.prompt)));
        const rate = learningRateAt(iteration, iterations, schedule);
        const update = new Update(this.#optimizer, number, rate, { stepInBackward: false, clip: 'global' });
        await this.#step(own, update, meter);
        if (!update.taken) note(`iteration ${iteration}: a step was left out: its gradient is not finite`);
      }
    }
  }

  async #step(batch: readonly Rollout[], update: Update, meter: RlMeter): Promise<void> {
    const weights = tokenWeights(
      batch.map(({ document }) => document.labelTokens),
      this.#config.lossAverage,
    );
    const weighted = batch.map((rollout, i) => ({ rollout, weight: weights[i] as number }));
    // An answer that moves nothing is not computed; its weight stays in the mean.
    const moving = weighted.filter(({ rollout }) => moves(rollout, this.#config));
    if (moving.length === 0) return;
    const packs = fillRuns(
      moving,
      ({ rollout }, before) => rowsBehind(rollout, before?.rollout),
      this.#config.packTokens,
    );
    const gradients = new Gradients({ accumulates: packs.length > 1 });
    for (const pack of packs) {
      const documents = pack.map(({ rollout }) => rollout.document);
      this.#student.executor.learn(
        documents,
        gradients,
        {
          logprobs: { temperature: this.#config.temperature },
          ...(this.#config.algorithm === 'ppo' && { valuesAt: labelPositions(documents).positions }),
          derive: (outputs) => policyDerivatives(pack, outputs, this.#config, meter),
        },
        (names) => update.ready(gradients, names),
      );
      await setImmediate();
    }
    if (this.#updates === 0 && meter.worstRatio > this.#tolerance) {
      throw new WorkError(`before the first step a token’s ratio is ${meter.worstRatio} from 1`, {
        hint: 'this is a fault of Understudy: please report it with the model’s config.json',
      });
    }
    const norm = update.finish(gradients, true);
    gradients.release();
    this.#updates += 1;
    meter.step(norm);
  }

  async save(iteration: number, history: TrainerState['log_history']): Promise<void> {
    const { master } = this.#student;
    const state: TrainerState = {
      global_step: iteration,
      max_steps: this.#config.iterations,
      best_global_step: null,
      best_metric: null,
      log_history: history,
      understudy: {
        identity: this.#identity,
        numerics: currentNumerics(resolveDtype(this.#config.dtype)),
        heldOut: [],
        extra: { beta: this.#beta },
      },
    };
    const writeModel = (folder: string) => this.#student.writeModel(folder, sourcesOf(master));
    const { output, keepCheckpoints: keepNewest } = this.#config;
    await saveCheckpoint(output, state, { optimizer: this.#optimizer.state, writeModel, keepNewest });
  }

  /** The adapters, without the values' head, which is of no use to anybody else. */
  async finish(): Promise<RlResult> {
    const { output, algorithm, iterations } = this.#config;
    const weights = new Map(
      [...this.#student.master]
        .filter(([name]) => name !== scalarHeadName)
        .map(([name, tensor]) => [name, sourceOf(tensor)]),
    );
    await addFilesAtomic(output, modelFile(trainingConfigOf(this.#config)), (folder) =>
      this.#student.writeModel(folder, weights),
    );
    const result: RlResult = { model: output, algorithm, iterations, identity: this.#identity };
    writeJsonAtomic(join(output, resultFile), result);
    removeCheckpoints(output);
    return result;
  }

  release(): void {
    this.#optimizer.release();
    this.#student.executor.release();
  }
}

/** What an answer adds to a pack: its prompt, too, unless the one before it answers the same. */
const rowsBehind = ({ prompt, document }: Rollout, before: Rollout | undefined): number =>
  before?.prompt === prompt ? document.labelTokens : document.ids.length;

/** A reward model by what is in its folder, wherever that stands; a teacher by who it is. */
/** PPO's values begin at 0. */
function withValues(decoder: Decoder, { algorithm }: RlConfig): Decoder {
  if (algorithm !== 'ppo') return decoder;
  const head = keep(scope(() => zeros([1, decoder.config.hiddenSize], 'float32')));
  return new Decoder(decoder.config, new Map([...decoder.parameters, [scalarHeadName, head]]));
}
