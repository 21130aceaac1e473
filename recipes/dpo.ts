/**
 * Training on preferences without a reward model (Rafailov et al. 2023, arXiv 2305.18290, and its kin: IPO, cDPO, SimPO;
 * src/loss/preference.ts has the formulas): of two answers to a prompt the better is to become more likely than the worse,
 * measured from the model as it was. The loss is the mean over a prompt's pairs, then over prompts; every answer is computed
 * once a step, whatever pairs it is in.
 *
 * What the reference says of each answer is computed once, before the first step, and kept in the folder. Runs in the
 * engine's process; the loop, and what is saved and resumed, are training.ts's.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeJsonAtomic } from '../src/base/atomic.ts';
import { WorkError } from '../src/base/errors.ts';
import { sha256 } from '../src/base/hash.ts';
import { readJson } from '../src/base/jsonl.ts';
import type { AnswerGroup, GroupReceipt, GroupStep } from '../src/data/answer-groups.ts';
import type { TokenDocument } from '../src/data/pack.ts';
import { answerLogprobs } from '../src/infer/logprobs.ts';
import { loadModel } from '../src/local/loaded-model.ts';
import { type AnswerSum, type PreferenceSettings, preferenceLoss } from '../src/loss/preference.ts';
import type { Decoder } from '../src/model/decoder.ts';
import { splitByDocument } from '../src/text/labels.ts';
import type { Executor } from '../src/train/executor.ts';
import { documentsOf, planComparisons, promptsOf } from './comparisons.ts';
import { type DpoConfig, preferenceSettings } from './dpo-config.ts';
import { modelContent } from './local-models.ts';
import { checkOutput } from './sft-input.ts';
import {
  inFolder,
  type Lesson,
  type Measured,
  type StepLearning,
  type TrainingContext,
  type TrainingResult,
  train,
} from './training.ts';
import { resultFiles } from './training-config.ts';
import { loadingDtype } from './training-student.ts';

/** Also written to dpo.json beside the model. */
export interface DpoResult extends TrainingResult {
  readonly receipt: GroupReceipt;
}

const referenceFile = 'reference-logprobs.json';

export const run = (config: DpoConfig, context: TrainingContext): Promise<DpoResult> =>
  inFolder(config, context, async () => {
    checkOutput(config.output);
    const settings = preferenceSettings(config);

    const loaded = loadModel(config.model, { dtype: loadingDtype(config), template: config.template });
    const compared = planComparisons(config, loaded, context);
    const { groups, heldOut, receipt } = compared;

    let reference: ReadonlyMap<string, AnswerSum> | undefined;
    const lesson: Lesson<GroupStep> = {
      resultFile: resultFiles.dpo,
      learned: compared.learned,
      steps: compared.steps,
      async prepare() {
        if (config.loss !== 'simpo') reference = await referenceSums(config, groups, context);
      },
      begin: (executor, step) => preferring(settings, reference, executor, step),
      ...(heldOut.length > 0 && {
        heldOut: {
          rows: heldOut.length,
          measure: (decoder: Decoder) => preferenceOn(settings, reference, heldOut, decoder),
        },
      }),
    };
    return train(config, { ...loaded, changedFiles: new Map() }, lesson, { receipt }, context);
  });

/** Σ log p of each answer by the model as it was, by document; from the folder where they were computed before. */
async function referenceSums(
  config: DpoConfig,
  groups: readonly AnswerGroup[],
  { signal, emit }: TrainingContext,
): Promise<ReadonlyMap<string, AnswerSum>> {
  const documents = documentsOf(groups);
  const of = sha256({ model: await modelContent(config.model), documents: documents.map(({ ids }) => ids) });
  const file = join(config.output, referenceFile);
  const kept = existsSync(file) ? (readJson(file) as { of: string; sums: AnswerSum[] }) : undefined;
  let sums = kept?.of === of ? kept.sums : undefined;
  if (!sums) {
    emit({ kind: 'note', text: `the reference reads ${documents.length} answers, once` });
    const { decoder } = loadModel(config.model, { dtype: config.dtype, template: config.template });
    sums = await answerLogprobs(decoder, documents, { signal });
    decoder.release();
    const broken = sums.findIndex(({ sum }) => !Number.isFinite(sum));
    if (broken >= 0) {
      throw new WorkError(`${config.model}: the log-probability of ${documents[broken]?.id} is ${sums[broken]?.sum}`, {
        hint: 'the model is broken: look whether its loss stayed finite in training; or try --dtype float32',
      });
    }
    writeJsonAtomic(file, { of, sums });
  }
  return new Map(documents.map(({ id }, i) => [id, (sums as AnswerSum[])[i] as AnswerSum]));
}

function preferring(
  settings: PreferenceSettings,
  reference: ReadonlyMap<string, AnswerSum> | undefined,
  executor: Executor,
  { parts }: GroupStep,
): StepLearning<GroupStep['parts'][number]> {
  const prompts = promptsOf(parts);
  const seen = new PreferenceFigures(settings, reference);
  return {
    learn({ pack, groups }, gradients, onReady, dropout) {
      const derive = ({ logprobs }: { readonly logprobs: Float64Array }) => {
        const byAnswer = seen.add(sumsOf(pack, logprobs), groups, 1 / prompts);
        return {
          logprobs: pack.flatMap(({ labelTokens }, i) => Array<number>(labelTokens).fill(byAnswer[i] as number)),
        };
      };
      executor.learn(pack, gradients, { logprobs: {}, derive }, onReady, dropout);
    },
    measured: () => seen.measured(),
  };
}

/** Of each document, from the log-probabilities of all their tokens. */
function sumsOf(documents: readonly TokenDocument[], logprobs: Float64Array): AnswerSum[] {
  const counts = documents.map(({ labelTokens }) => labelTokens);
  return splitByDocument(logprobs, counts).map((own) => {
    return { sum: own.reduce((sum, logprob) => sum + logprob, 0), tokens: own.length };
  });
}

async function preferenceOn(
  settings: PreferenceSettings,
  reference: ReadonlyMap<string, AnswerSum> | undefined,
  groups: readonly AnswerGroup[],
  decoder: Decoder,
): Promise<Measured> {
  const sums = await answerLogprobs(decoder, documentsOf(groups));
  const seen = new PreferenceFigures(settings, reference);
  seen.add(sums, groups, 1 / groups.length);
  return seen.measured();
}

/** By TRL's names. */
class PreferenceFigures {
  readonly #settings: PreferenceSettings;
  readonly #reference: ReadonlyMap<string, AnswerSum> | undefined;
  #loss = 0;
  #pairs = 0;
  #right = 0;
  readonly #sums = { 'rewards/chosen': 0, 'rewards/rejected': 0, 'logps/chosen': 0, 'logps/rejected': 0 };

  constructor(settings: PreferenceSettings, reference: ReadonlyMap<string, AnswerSum> | undefined) {
    this.#settings = settings;
    this.#reference = reference;
  }

  /** Σ log p of the groups' answers, one after the other; the loss's derivatives by them. */
  add(sums: readonly AnswerSum[], groups: readonly AnswerGroup[], weight: number): Float64Array {
    const derivatives = new Float64Array(sums.length);
    let start = 0;
    for (const { documents, pairs } of groups) {
      const of = (place: number) => {
        const policy = sums[start + place] as AnswerSum;
        return { policy, reference: this.#reference?.get((documents[place] as TokenDocument).id) ?? policy };
      };
      for (const { better, worse } of pairs) {
        const pair = preferenceLoss(of(better), of(worse), this.#settings);
        const share = weight / pairs.length;
        this.#loss += share * pair.loss;
        derivatives[start + better]! += share * pair.gradBetter;
        derivatives[start + worse]! += share * pair.gradWorse;
        this.#count(pair.rewards, of(better).policy, of(worse).policy);
      }
      start += documents.length;
    }
    return derivatives;
  }

  #count([chosen, rejected]: readonly [number, number], better: AnswerSum, worse: AnswerSum): void {
    this.#pairs += 1;
    this.#right += chosen > rejected ? 1 : chosen === rejected ? 0.5 : 0;
    this.#sums['rewards/chosen'] += chosen;
    this.#sums['rewards/rejected'] += rejected;
    this.#sums['logps/chosen'] += better.sum;
    this.#sums['logps/rejected'] += worse.sum;
  }

  measured(): Required<Measured> {
    const means = Object.fromEntries(Object.entries(this.#sums).map(([name, sum]) => [name, sum / this.#pairs]));
    const margin = (means['rewards/chosen'] as number) - (means['rewards/rejected'] as number);
    const metrics = { ...means, 'rewards/margins': margin, 'rewards/accuracies': this.#right / this.#pairs };
    return { loss: this.#loss, metrics };
  }
}
