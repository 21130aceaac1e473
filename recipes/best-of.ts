/**
 * A model answers each prompt n times and a reward model picks the best (best-of-n: Stiennon et al. 2020, arXiv 2009.01325;
 * the paper's section 3.2 takes five). All answers are kept, with their rewards. The k-th answer to a prompt is the same
 * whatever n is: its random stream is named by prompt and k.
 *
 * The two models take turns by groups of prompts. What is sampled stands in a file beside the output until its prompt is
 * scored: a kill loses only what was being decoded, or scored.
 */
import { rmSync } from 'node:fs';
import { sha256 } from '../src/base/hash.ts';
import { JsonlLog } from '../src/base/jsonl.ts';
import type { LocalModel, LocalRequest } from '../src/local/local-model.ts';
import { type AnswerFileOptions, answerGroup, openRows, settingsFile, sortRows } from './answer.ts';
import { type AnswerSet, type GivenAnswer, type RewardModel, rankSets } from './rank-rows.ts';

export interface BestOfOptions extends AnswerFileOptions {
  /** Answers a prompt. */
  readonly n: number;
  /** By the prompt's key. */
  readonly known?: ReadonlyMap<string, Pick<AnswerSet, 'language' | 'category'>>;
}

/** Answers sampled between two turns of the reward model. */
const groupSize = 1024;

export const samplesFile = (file: string): string => `${file}.samples.jsonl`;

/** `done` and `total` of the progress count answers; a row is written once all of its prompt's are scored. */
export async function bestOfFile(
  model: LocalModel,
  rewardModel: RewardModel,
  requests: readonly LocalRequest[],
  { file, n, batch, settings, signal, onProgress, known: facts }: BestOfOptions,
): Promise<{ file: string; rows: number; kept: number; tokens: number }> {
  const identity = sha256({ requests, n, settings });
  const known = openRows(file, identity);
  const samples = samplesFile(file);
  const sampled = openRows(samples, identity) as Map<string, GivenAnswer>;
  const missing = requests.filter(({ key }) => !known.has(key));
  const log = new JsonlLog(file);
  const samplesLog = new JsonlLog(samples);
  const startedMs = performance.now();
  let done = n * (requests.length - missing.length);
  let tokens = 0;
  const progress = () => {
    const tokensPerSecond = tokens / ((performance.now() - startedMs) / 1000);
    onProgress?.({ done, total: n * requests.length, tokensPerSecond });
  };
  try {
    const promptsAtOnce = Math.max(1, Math.floor(groupSize / n));
    for (let from = 0; from < missing.length; from += promptsAtOnce) {
      const group = missing.slice(from, from + promptsAtOnce);
      const all = group.flatMap((request) => samplesOf(request, n));
      const wanted = all.filter(({ key }) => !sampled.has(key));
      done += all.length - wanted.length;
      await answerGroup(model, wanted, { rows: batch, signal }, ({ key }, { text, finishReason, outputTokens }) => {
        samplesLog.append({ id: key, text, finishReason });
        sampled.set(key, { text, finishReason });
        done += 1;
        tokens += outputTokens;
        progress();
      });
      const sets = group.map((request): AnswerSet => {
        const answers = samplesOf(request, n).map(({ key }) => {
          const { text, finishReason } = sampled.get(key) as GivenAnswer;
          return { text, ...(finishReason && { finishReason }) };
        });
        return { id: request.key, messages: request.messages, ...facts?.get(request.key), answers };
      });
      for (const row of await rankSets(rewardModel, sets, { signal })) log.append(row);
    }
  } finally {
    log.close();
    samplesLog.close();
  }
  sortRows(
    file,
    requests.map(({ key }) => key),
  );
  for (const name of [samples, settingsFile(samples)]) rmSync(name, { force: true });
  return { file, rows: requests.length, kept: known.size, tokens };
}

const samplesOf = (request: LocalRequest, n: number): LocalRequest[] =>
  Array.from({ length: n }, (_, i) => ({ ...request, key: `${request.key}#${i + 1}` }));
