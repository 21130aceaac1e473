/**
 * A policy before and after it learned, on prompts it never learned from: several answers of each, their rewards, and the
 * scores of the teacher, who sees the answers of both side by side and does not know whose they are. Both files of answers
 * can be looked at with `evaluate best-of`.
 */
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { writeFileAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { toJsonl } from '../src/base/jsonl.ts';
import { readPreferences } from '../src/data/formats.ts';
import { readPrompts } from '../src/data/prompts.ts';
import type { BestOfCurve } from '../src/evaluate/best-of-n.ts';
import { type CheckedAnswer, checkRound, type RoundCheck } from '../src/evaluate/round-check.ts';
import { bestOfFile } from './best-of.ts';
import { curveOf } from './best-of-curve.ts';
import type { RunContext } from './context.ts';
import { engineModel, engineRewards } from './engine.ts';
import * as feedback from './feedback.ts';
import { survey } from './feedback-input.ts';
import { modelName } from './local-models.ts';
import { type LoopConfig, scoringOf } from './loop-config.ts';
import { readRankedRows } from './rank-input.ts';
import type { RankedRow } from './rank-rows.ts';

export interface CheckedPolicies {
  readonly check: RoundCheck;
  /** Of the answers before; null where no prompt has two with rewards. */
  readonly bestOf: BestOfCurve | null;
}

type Policy = 'before' | 'after';

/** Prompts decoded together. */
const batch = 16;

export async function checkPolicies(
  config: LoopConfig,
  models: Readonly<Record<Policy | 'reward', string>>,
  promptsFile: string,
  folder: string,
  context: RunContext & { readonly seeds: readonly string[] },
): Promise<CheckedPolicies> {
  const answersOf = (policy: Policy) => join(folder, `${policy}.jsonl`);

  // 1. Several answers of each policy, with their rewards.
  const rows = {
    before: await rewarded(config, models.before, models.reward, promptsFile, answersOf('before'), context),
    after: await rewarded(config, models.after, models.reward, promptsFile, answersOf('after'), context),
  };

  // 2. The teacher's scores of all of them.
  const given = (['before', 'after'] as const).map((name) => ({ name, file: join(folder, `${name}.answers.jsonl`) }));
  for (const { name, file } of given) {
    const each = rows[name].flatMap(({ id, candidates }) => candidates.map(({ text }) => ({ id, output: text })));
    writeFileAtomic(file, toJsonl(each));
  }
  const scored = join(folder, 'scores.jsonl');
  const files = { prompts: [promptsFile], answers: given, out: scored, rejects: join(folder, 'rejects.jsonl') };
  await feedback.run(scoringOf(config, context.seeds), files, await survey(files, [], context.signal), context);
  const scores = new Map(
    readPreferences(scored).map(({ id, answers }) => [id, new Map(answers.map((one) => [one.content, one.score]))]),
  );
  for (const { file } of given) rmSync(file);

  // 3. Both beside each other.
  const whole = { before: withScores(rows.before, scores), after: withScores(rows.after, scores) };
  for (const policy of ['before', 'after'] as const) writeFileAtomic(answersOf(policy), toJsonl(whole[policy]));
  const later = new Map(whole.after.map(({ id, candidates }) => [id, candidates.map(checked)]));
  const check = checkRound(
    whole.before.map(({ id, candidates }) => {
      return { id, before: candidates.map(checked), after: later.get(id) ?? [] };
    }),
    { seed: config.seed },
  );
  const canPick = whole.before.some(({ candidates }) => candidates.filter(({ reward }) => reward !== null).length > 1);
  const bestOf = canPick ? curveOf({ file: answersOf('before'), seed: config.seed }) : null;
  const result = { check, bestOf: bestOf && { ...bestOf, file: basename(bestOf.file) } };
  writeJsonAtomic(join(folder, 'check.json'), result);
  return result;
}

async function rewarded(
  { samples, temperature, maxTokens, seed }: LoopConfig,
  model: string,
  reward: string,
  promptsFile: string,
  file: string,
  { engine: open, signal, progress }: RunContext,
): Promise<RankedRow[]> {
  const engine = await open();
  const sampling = { temperature, topK: 0, topP: 1, repetitionPenalty: 1, seed };
  const requests = readPrompts(promptsFile).map(({ id, messages }) => {
    return { key: id, messages, maxTokens, sampling, stop: [] };
  });
  const bar = progress('checking');
  const { tokens } = await bestOfFile(
    engineModel(engine, { folder: model, dtype: 'auto' }),
    engineRewards(engine, { folder: reward, dtype: 'auto' }),
    requests,
    {
      file,
      n: samples,
      batch,
      signal,
      settings: { model: await modelName(model), reward: await modelName(reward) },
      onProgress: ({ done, total, tokensPerSecond }) =>
        bar.update(done, total, `${tokensPerSecond.toFixed(0)} tokens/s`),
    },
  );
  bar.finish(`${requests.length * samples} answers, ${tokens} new tokens`);
  return readRankedRows(file);
}

const withScores = (
  rows: readonly RankedRow[],
  scores: ReadonlyMap<string, ReadonlyMap<string, number | undefined>>,
): RankedRow[] =>
  rows.map((row) => ({
    ...row,
    candidates: row.candidates.map((one) => {
      const score = scores.get(row.id)?.get(one.text.trim());
      return { ...one, ...(score !== undefined && { score }) };
    }),
  }));

const checked = ({ reward, score }: RankedRow['candidates'][number]): CheckedAnswer => {
  return { reward, score: score ?? null };
};
