/**
 * What did training change? (The paper's section 4, on questions held out from training.) The same student before and
 * after answers the same questions; then
 *   loss      how likely each finds the reference answers, in nats per token;
 *   ROUGE-L   of the answers against the references, by the reference's length;
 *   judge     the teacher scores both answers 1–10, asked in both orders;
 *   scorer    the teacher's own log-probability of each answer, shown examples of good ones first. With a tiny teacher
 *             this is the judge that means something: it needs no verdict to be written and read.
 * Answers and verdicts go through the ledger: an interrupted evaluation goes on where it stopped.
 */
import { join } from 'node:path';
import { writeFileAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { toJsonl } from '../src/base/jsonl.ts';
import type { Message } from '../src/base/message.ts';
import { Rng } from '../src/base/rng.ts';
import { type Question, readQuestions, type Seed } from '../src/data/formats.ts';
import { scoreRows } from '../src/evaluate/answers.ts';
import { planJudgeRequests, readVerdicts } from '../src/evaluate/judge.ts';
import type { JudgeScores, ModelAnswer } from '../src/evaluate/rows.ts';
import type { ScoredAnswer, Scorer } from '../src/evaluate/scorer.ts';
import { type EvaluationSummary, summarize } from '../src/evaluate/summary.ts';
import { askAll } from '../src/teacher/caller.ts';
import type { TeacherRequest } from '../src/teacher/teacher.ts';
import { askProgress } from './ask-progress.ts';
import type { RunContext } from './context.ts';
import type { EvaluateConfig } from './evaluate-config.ts';
import { openLocalTeacher, openScorer } from './local-models.ts';
import { shownExamples } from './shown-examples.ts';

export interface Students {
  /** Model folders, or `builtin`. */
  readonly before: string;
  readonly after: string;
}

export const rowsFile = 'rows.jsonl';
const summaryFile = 'summary.json';

export async function run(
  config: EvaluateConfig,
  students: Students,
  seeds: readonly Seed[],
  folder: string,
  context: RunContext,
): Promise<EvaluationSummary> {
  const questions = chooseQuestions(readQuestions(config.questions), config.perLanguage);
  const engine = await context.engine();

  // 1. Answers, greedy.
  const before = await answers('before', students.before, questions, config, context);
  const after = await answers('after', students.after, questions, config, context);

  // 2. How likely each student finds the references.
  const references = questions.map(({ prompt, reference }) => exchange(prompt, reference));
  const referenceBefore = await score('loss before', await openScorer(engine, students.before), references, context);
  const referenceAfter = await score('loss after', await openScorer(engine, students.after), references, context);

  // 3. The teacher's own log-probability of each answer.
  let teacherBefore: ScoredAnswer[] | undefined;
  let teacherAfter: ScoredAnswer[] | undefined;
  if (config.scorer) {
    const scorer = await openScorer(engine, config.scorer.model);
    const { examples } = config.scorer;
    const shown = (language: string) => shownExamples(seeds, language, examples);
    const judged = (given: readonly ModelAnswer[]) =>
      questions.map(({ prompt, language }, i) => [...shown(language), ...exchange(prompt, given[i]?.text ?? '')]);
    teacherBefore = await score('scorer before', scorer, judged(before), context);
    teacherAfter = await score('scorer after', scorer, judged(after), context);
  }

  // 4. The teacher's verdicts.
  const judge = config.judge ? await verdicts(config.judge, config, questions, before, after, context) : undefined;

  // 5. Rows, and the figures made from them.
  const rows = scoreRows(questions, {
    before,
    after,
    referenceBefore,
    referenceAfter,
    judge,
    teacherBefore,
    teacherAfter,
  });
  const summary = summarize(rows);
  writeFileAtomic(join(folder, rowsFile), toJsonl(rows));
  writeJsonAtomic(join(folder, summaryFile), summary);
  return summary;
}

const exchange = (prompt: string, answer: string): Message[] => [
  { role: 'user', content: prompt },
  { role: 'assistant', content: answer },
];

/** So many of each language, spread evenly over the categories, always the same ones; in the files' order. */
export function chooseQuestions(all: readonly Question[], perLanguage: EvaluateConfig['perLanguage']): Question[] {
  if (perLanguage === undefined) return [...all];
  const rank = new Map<string, number>();
  const met = new Map<string, number>();
  for (const question of new Rng('questions').shuffle(all)) {
    const category = `${question.language} ${question.category}`;
    const place = met.get(category) ?? 0;
    met.set(category, place + 1);
    rank.set(question.id, place);
  }
  const chosen = new Set(
    [...new Set(all.map(({ language }) => language))].flatMap((language) =>
      all
        .filter((question) => question.language === language)
        .sort((a, b) => (rank.get(a.id) ?? 0) - (rank.get(b.id) ?? 0))
        .slice(0, typeof perLanguage === 'number' ? perLanguage : perLanguage[language as 'en' | 'zh']),
    ),
  );
  return all.filter((question) => chosen.has(question));
}

async function answers(
  which: string,
  student: string,
  questions: readonly Question[],
  { maxTokens }: EvaluateConfig,
  { engine, ledger, signal, progress }: RunContext,
): Promise<ModelAnswer[]> {
  const teacher = await openLocalTeacher(await engine(), student);
  const requests = questions.map(({ prompt }): TeacherRequest => {
    const messages: Message[] = [{ role: 'user', content: prompt }];
    return { model: teacher.model, messages, parameters: { maxTokens, temperature: 0 }, sample: 0 };
  });
  const shown = askProgress(progress(`answers ${which}`));
  const outcomes = await askAll(requests, {
    teacher,
    ledger,
    stage: `answers-${which}`,
    signal,
    ...shown.listen,
  });
  shown.finish();
  return outcomes.map(({ answer, error }) => {
    if (error) throw error;
    return { text: answer.text, finishReason: answer.finishReason };
  });
}

async function score(
  label: string,
  scorer: Scorer,
  conversations: readonly (readonly Message[])[],
  { signal, progress }: RunContext,
): Promise<ScoredAnswer[]> {
  const bar = progress(label);
  const scores = await scorer.score(conversations, {
    signal,
    onProgress: (done) => bar.update(done, conversations.length),
  });
  bar.finish(`${scores.length} answers`);
  return scores;
}

/** Of the judged questions two verdicts each, in both orders; of the others none. */
async function verdicts(
  teacherConfig: NonNullable<EvaluateConfig['judge']>,
  config: EvaluateConfig,
  questions: readonly Question[],
  before: readonly ModelAnswer[],
  after: readonly ModelAnswer[],
  { teacher: open, ledger, budgetUsd, signal, progress }: RunContext,
): Promise<JudgeScores[][]> {
  const teacher = await open(teacherConfig);
  const judged = new Set(chooseQuestions(questions, config.judgePerLanguage).map(({ id }) => id));
  const pairs = questions.flatMap((question, i) => {
    const pair = { ...question, before: before[i]?.text ?? '', after: after[i]?.text ?? '' };
    return judged.has(question.id) ? [pair] : [];
  });
  const settings = { model: teacher.model, maxTokens: config.judgeTokens, examples: config.judgeExamples };
  const requests = planJudgeRequests(pairs, settings);
  const shown = askProgress(progress('judging'));
  const outcomes = await askAll(requests, {
    teacher,
    ledger,
    stage: 'judge',
    budgetUsd,
    signal,
    ...shown.listen,
  });
  shown.finish();
  const scores = readVerdicts(outcomes);
  const byId = new Map(pairs.map(({ id }, i) => [id, scores[i] as JudgeScores[]]));
  return questions.map(({ id }) => byId.get(id) ?? []);
}
