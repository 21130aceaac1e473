/**
 * A reward model (the paper's section 3.2; Ouyang et al. 2022, arXiv 2203.02155): a language model whose output head gives
 * way to one number, trained so that of two answers to a prompt the better one gets the higher: −log σ(r_w − r_l), the mean
 * over a prompt's pairs, then over prompts. Only pairs of unequal rank count, and every answer is computed once a step,
 * whatever pairs it is in.
 *
 * Beside the model stand the rewards of what was held out (held-out.jsonl) and the card that is made from them (card.json,
 * card.md). Runs in the engine's process; the loop, and what is saved and resumed, are training.ts's.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../src/base/atomic.ts';
import { ConfigError } from '../src/base/errors.ts';
import { toJsonl } from '../src/base/jsonl.ts';
import type { AnswerGroup, GroupReceipt, GroupStep } from '../src/data/answer-groups.ts';
import type { RewardedGroup } from '../src/evaluate/reward-card.ts';
import { rewardsOf } from '../src/infer/rewards.ts';
import { type LoadedModel, loadModel } from '../src/local/loaded-model.ts';
import { rankingLoss } from '../src/loss/ranking.ts';
import type { Decoder } from '../src/model/decoder.ts';
import { asRewardModel, freshHead } from '../src/model/reward-head.ts';
import { lastPositions } from '../src/text/labels.ts';
import type { Executor } from '../src/train/executor.ts';
import { documentsOf, planComparisons, promptsOf } from './comparisons.ts';
import { cardFile, heldOutFile, writeCard } from './reward-card.ts';
import type { RewardConfig } from './reward-config.ts';
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

/** Also written to reward.json beside the model. */
export interface RewardResult extends TrainingResult {
  readonly receipt: GroupReceipt;
  /** Rewards of the held-out prompts' answers, by the model that was saved; absent where none were held out. */
  readonly heldOutFile?: string;
}

export const run = (config: RewardConfig, context: TrainingContext): Promise<RewardResult> =>
  inFolder(config, context, async () => {
    checkOutput(config.output);

    const loaded = loadModel(config.model, { dtype: loadingDtype(config), template: config.template, scores: 'any' });
    const compared = planComparisons(config, loaded, context);
    const { groups, heldOut, receipt } = compared;

    const model = {
      ...loaded,
      decoder: rewardDecoder(config, loaded, groups),
      changedFiles: new Map<string, object>(),
    };
    let last: readonly number[] | undefined;
    const lesson: Lesson<GroupStep> = {
      resultFile: resultFiles.reward,
      learned: compared.learned,
      steps: compared.steps,
      begin: (executor, step) => ranking(config, executor, step),
      ...(heldOut.length > 0 && {
        heldOut: {
          rows: heldOut.length,
          async measure(decoder: Decoder) {
            last = await rewardsOf(decoder, documentsOf(heldOut));
            return rankingOn(config, heldOut, last);
          },
        },
      }),
    };
    const extra = { receipt, ...(heldOut.length > 0 && { heldOutFile: join(config.output, heldOutFile) }) };
    const result = await train(config, model, lesson, extra, context);
    if (heldOut.length > 0 && !existsSync(join(config.output, heldOutFile))) {
      // Measured after the last step; where an earlier one was the best, its model has to be asked.
      const rewards = result.heldOut?.bestStep === result.steps ? last : undefined;
      writeHeldOut(config, heldOut, rewards ?? (await rewardsBy(result.model, heldOut, config, context)));
    }
    if (heldOut.length > 0 && !existsSync(join(config.output, cardFile))) writeCard(config.output);
    return result;
  });

/** −log σ(r_w − r_l) of a step's prompts, each counting alike; every pack's derivatives are known once it is read. */
function ranking(
  config: RewardConfig,
  executor: Executor,
  { parts }: GroupStep,
): StepLearning<GroupStep['parts'][number]> {
  const prompts = promptsOf(parts);
  const seen = new RankingFigures();
  return {
    learn({ pack, groups }, gradients, onReady, dropout) {
      const derive = ({ values }: { readonly values: Float64Array }) => ({
        values: seen.add(values, groups, config, 1 / prompts),
      });
      executor.learn(pack, gradients, { valuesAt: lastPositions(pack), derive }, onReady, dropout);
    },
    measured: () => seen.measured(),
  };
}

function rankingOn(config: RewardConfig, groups: readonly AnswerGroup[], rewards: readonly number[]): Measured {
  const seen = new RankingFigures();
  seen.add(rewards, groups, config, 1 / groups.length);
  return seen.measured();
}

/** By TRL's names. */
class RankingFigures {
  #loss = 0;
  readonly #margins: number[] = [];
  readonly #rewards: number[] = [];

  /** Rewards of the groups' answers, one after the other; their derivatives. */
  add(rewards: ArrayLike<number>, groups: readonly AnswerGroup[], config: RewardConfig, weight: number): Float64Array {
    const all = Float64Array.from(rewards);
    const derivatives = new Float64Array(all.length);
    let start = 0;
    for (const { documents, pairs } of groups) {
      const own = all.subarray(start, start + documents.length);
      const { loss, margins } = rankingLoss(
        own,
        pairs,
        config,
        weight,
        derivatives.subarray(start, start + documents.length),
      );
      this.#loss += loss;
      for (const margin of margins) this.#margins.push(margin);
      start += documents.length;
    }
    for (const reward of all) this.#rewards.push(reward);
    return derivatives;
  }

  measured(): Required<Measured> {
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    return {
      loss: this.#loss,
      metrics: {
        accuracy: mean(this.#margins.map((margin) => (margin > 0 ? 1 : margin === 0 ? 0.5 : 0))),
        margin: mean(this.#margins),
        mean_reward: mean(this.#rewards),
        min_reward: this.#rewards.reduce((least, reward) => Math.min(least, reward), Number.POSITIVE_INFINITY),
        max_reward: this.#rewards.reduce((most, reward) => Math.max(most, reward), Number.NEGATIVE_INFINITY),
      },
    };
  }
}

function rewardDecoder(
  { seed }: RewardConfig,
  { decoder, tokenizer }: LoadedModel,
  groups: readonly AnswerGroup[],
): Decoder {
  const endings = new Set(groups.flatMap(({ documents }) => documents.map(({ ids }) => ids.at(-1))));
  const { padToken, eosToken, bosToken } = tokenizer;
  const candidates = [padToken, eosToken, bosToken, '<unk>', '<|endoftext|>'];
  const ids = candidates.flatMap((token) => (token === undefined ? [] : (tokenizer.tokenId(token) ?? [])));
  const padTokenId = ids.find((id) => !endings.has(id));
  if (padTokenId === undefined) {
    throw new ConfigError('no token of the model can be padding: conversations end with each of its special tokens', {
      hint: 'transformers reads a reward model before the padding: choose another template, or a tokenizer with a pad token',
    });
  }
  const head = decoder.config.scalarHead ? {} : { head: freshHead(decoder.config.hiddenSize, seed) };
  return asRewardModel(decoder, { ...head, padTokenId });
}

/** By the model as it was saved: what a user of the folder gets. */
async function rewardsBy(
  folder: string,
  groups: readonly AnswerGroup[],
  { dtype }: RewardConfig,
  { signal }: TrainingContext,
): Promise<number[]> {
  const { decoder } = loadModel(folder, { dtype, scores: true });
  try {
    return await rewardsOf(decoder, documentsOf(groups), { signal });
  } finally {
    decoder.release();
  }
}

function writeHeldOut(config: RewardConfig, groups: readonly AnswerGroup[], rewards: readonly number[]): void {
  let at = 0;
  const rows = groups.map(
    ({ id, preference, answers, documents, pairs }): RewardedGroup => ({
      id,
      ...(preference.language !== undefined && { language: preference.language }),
      ...(preference.category !== undefined && { category: preference.category }),
      prompt: preference.prompt,
      answers: answers.map((answer, i) => ({
        ...answer,
        tokens: (documents[i] as (typeof documents)[number]).labelTokens,
        reward: rewards[at++] as number,
      })),
      pairs,
    }),
  );
  writeFileAtomic(join(config.output, heldOutFile), toJsonl(rows));
}
