/**
 * What answers earn in reinforcement learning: by a reward model, by a teacher's word (machine feedback without a reward
 * model between), by checks that a program makes; each by itself, and their weighted sum. A source that cannot say what an
 * answer is worth says NaN, which leaves the answer out and is counted.
 *
 * A teacher is asked through the ledger: a round that is done again after a kill samples the same answers, and what was
 * said of them is not paid for twice.
 */
import { ConfigError } from '../src/base/errors.ts';
import { guessLanguage } from '../src/data/guess-language.ts';
import type { Prompt } from '../src/data/prompts.ts';
import { exactReward, jsonReward, regexReward, wordsReward } from '../src/evaluate/answer-checks.ts';
import { type CandidateGroup, scoreGroups, teacherScoring } from '../src/generate/feedback.ts';
import type { Teacher } from '../src/teacher/teacher.ts';
import type { Asking } from './context.ts';
import type { Engine } from './engine.ts';
import { assertMaySpend, type PlannedCalls, planned } from './quote.ts';
import type { RewardSource, RlConfig } from './rl-config.ts';
import type { SampledAnswer } from './rl-sampling.ts';

export interface RewardContext {
  readonly engine: Pick<Engine, 'call'>;
  readonly signal: AbortSignal;
  /** Where a teacher rewards. */
  readonly asking?: Asking | undefined;
}

/** What an answer earned; NaN where a source could not say. */
export interface Earned {
  readonly total: number;
  /** By source, unweighted. */
  readonly parts: Readonly<Record<string, number>>;
}

type Source<Kind extends RewardSource['kind']> = Extract<RewardSource, { kind: Kind }>;

export async function rewardAll(
  { rewards: sources, dtype, seed }: Pick<RlConfig, 'rewards' | 'dtype' | 'seed'>,
  prompts: readonly Prompt[],
  answers: readonly SampledAnswer[],
  context: RewardContext,
): Promise<Earned[]> {
  const byId = new Map(prompts.map((prompt) => [prompt.id, prompt]));
  const promptOf = ({ prompt }: SampledAnswer) => byId.get(prompt) as Prompt;
  const columns: { name: string; weight: number; values: readonly number[] }[] = [];
  for (const [i, source] of sources.entries()) {
    const values = await valuesOf(source);
    columns.push({ name: sources.length > 1 ? `${source.kind} ${i + 1}` : source.kind, weight: source.weight, values });
  }
  return answers.map((_, i) => ({
    total: columns.reduce((sum, { weight, values }) => sum + weight * (values[i] as number), 0),
    parts: Object.fromEntries(columns.map(({ name, values }) => [name, values[i] as number])),
  }));

  async function valuesOf(source: RewardSource): Promise<readonly number[]> {
    switch (source.kind) {
      case 'model':
        return modelRewards(source, dtype, answers, promptOf, context);
      case 'teacher':
        return teacherRewards(source, seed, prompts, answers, context);
      default:
        return answers.map((answer) => checked(source, answer.text, promptOf(answer)));
    }
  }
}

function checked(source: Exclude<RewardSource, { kind: 'model' | 'teacher' }>, answer: string, prompt: Prompt): number {
  switch (source.kind) {
    case 'words':
      return wordsReward(answer, source);
    case 'regex':
      return regexReward(answer, new RegExp(source.pattern, source.flags));
    case 'exact':
      return prompt.reference === undefined ? Number.NaN : exactReward(answer, prompt.reference);
    case 'json':
      return jsonReward(answer);
  }
}

function modelRewards(
  { model: folder }: Source<'model'>,
  dtype: RlConfig['dtype'],
  answers: readonly SampledAnswer[],
  promptOf: (answer: SampledAnswer) => Prompt,
  { engine, signal }: RewardContext,
): Promise<number[]> {
  const conversations = answers.map((answer) => [
    ...promptOf(answer).messages,
    { role: 'assistant', content: answer.text } as const,
  ]);
  return engine.call('rewards', { model: { folder, dtype }, conversations }, { signal });
}

/** 1 to 10, of all answers to a prompt side by side; the same text has one score. An empty answer has none. */
async function teacherRewards(
  source: Source<'teacher'>,
  seed: number,
  prompts: readonly Prompt[],
  answers: readonly SampledAnswer[],
  { signal, asking }: RewardContext,
): Promise<number[]> {
  const { ledger, budgetUsd, teacher: open } = asked(asking);
  const groups = prompts.flatMap((prompt): CandidateGroup[] => {
    const own = answers.filter((answer) => answer.prompt === prompt.id).map(({ text }) => text.trim());
    const texts = [...new Set(own)].filter((text) => text !== '');
    return texts.length === 0 ? [] : [groupOf(prompt, texts)];
  });
  const teacher = await open(source.teacher);
  const scoring = scoringBy(teacher.model, source, seed);
  const tasks = groups.reduce((sum, group) => sum + scoring.tasks(group).length, 0);
  const ask = { teacher, ledger, budgetUsd, signal, stage: 'rl-rewards' };
  const scores = new Map<string, ReadonlyMap<string, number>>();
  for await (const { id, candidates } of scoreGroups(() => groups, tasks, scoring, 'keep', ask)) {
    scores.set(
      id,
      new Map(candidates.flatMap(({ content, score }) => (score === undefined ? [] : [[content, score]]))),
    );
  }
  return answers.map(({ prompt, text }) => scores.get(prompt)?.get(text.trim()) ?? Number.NaN);
}

const groupOf = ({ id, messages }: Prompt, texts: readonly string[]): CandidateGroup => ({
  id,
  prompt: messages,
  language: guessLanguage(messages.at(-1)?.content ?? ''),
  file: '',
  row: 0,
  candidates: texts.map((content) => ({ content, source: 'policy', calls: [] })),
});

const scoringBy = (model: string, { atOnce, verdictTokens }: Source<'teacher'>, seed: number) =>
  teacherScoring(model, { verdicts: 1, atOnce, temperature: 0, maxTokens: verdictTokens, seed });

function asked(asking: Asking | undefined): Asking {
  if (asking) return asking;
  throw new ConfigError('rewards: a teacher cannot be asked here', { hint: 'run ./understudy train grpo or run' });
}

type Rewarded = Pick<RlConfig, 'rewards' | 'iterations' | 'promptsPerIteration' | 'samples' | 'maxNewTokens' | 'seed'>;

/** What teachers' rewards may cost at most. */
export async function plannedRewards(
  { rewards, iterations, promptsPerIteration, samples, maxNewTokens, seed }: Rewarded,
  prompts: readonly Prompt[],
  open: Asking['teacher'],
): Promise<{ teacher: Teacher; calls: PlannedCalls[] }[]> {
  const [longest] = longestFirst(prompts);
  const plans = [];
  for (const source of rewards) {
    if (source.kind !== 'teacher' || !longest) continue;
    const teacher = await open(source.teacher);
    const scoring = scoringBy(teacher.model, source, seed);
    const group = groupOf(longest, Array(samples).fill(''));
    const requests = scoring.tasks(group).map((task) => scoring.request(task));
    const { calls, boundUsd } = planned(teacher, requests, samples * maxNewTokens);
    const times = iterations * promptsPerIteration;
    const all = { calls: times * calls, boundUsd: boundUsd === undefined ? undefined : times * boundUsd };
    plans.push({ teacher, calls: [all] });
  }
  return plans;
}

/** Before anything is sampled: refuses to spend unasked. */
export async function assertMayReward(
  config: Rewarded,
  prompts: readonly Prompt[],
  asking: Asking | undefined,
): Promise<void> {
  if (config.rewards.every(({ kind }) => kind !== 'teacher')) return;
  const context = asked(asking);
  assertMaySpend(await plannedRewards(config, prompts, context.teacher), context);
}

export const longestFirst = (prompts: readonly Prompt[]): Prompt[] => {
  const length = ({ messages }: Prompt) => messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
  return prompts.toSorted((a, b) => length(b) - length(a));
};
