/**
 * A teacher judges models' answers (Zheng et al. 2023, arXiv 2306.05685; the ratio to a reference model: Peng et al. 2023,
 * arXiv 2304.03277, section 4.2). One by one, two side by side, or both scored beside a reference model; two answers
 * always in both orders. Verdicts that cannot be read are asked for again, a bounded number of times; what stays without one
 * is counted by kind and bounds every figure. All that the judge said is archived in rows.jsonl: `reparse` reads it again
 * and asks nobody. Calls go through the ledger: an interrupted judging goes on where it stopped.
 * Departures: turns of a conversation are judged one by one (as MT-bench), orders that disagree are a tie (ditto); the wording
 * is ours (assets/prompts/judge-*).
 * ./understudy evaluate judge vicuna.jsonl --answers mine=a.jsonl vicuna=b.jsonl --mode pair --provider openai --model gpt-4.1 …
 */
import { join } from 'node:path';
import { writeJsonAtomic } from '../src/base/atomic.ts';
import { WorkError } from '../src/base/errors.ts';
import { withSinks } from '../src/data/row-sink.ts';
import { type JudgeTask, type Judging, openJudging, planJudgeTasks, pointsOf } from '../src/evaluate/judge-plan.ts';
import { type JudgeResults, judgeResults } from '../src/evaluate/judge-results.ts';
import type { JudgeMode, JudgeRow, PromptId, Verdict } from '../src/evaluate/judge-rows.ts';
import { readAskings, readSaid } from '../src/evaluate/judge-verdicts.ts';
import { askChecked, type Checked, type CheckedOutcome, type Fault } from '../src/teacher/ask-checked.ts';
import type { Ledger } from '../src/teacher/ledger.ts';
import { upperBoundUsd } from '../src/teacher/prices.ts';
import type { Teacher, TeacherAnswer } from '../src/teacher/teacher.ts';
import { askProgress } from './ask-progress.ts';
import type { RunContext } from './context.ts';
import type { JudgeConfig } from './judge-config.ts';
import { type JudgedFiles, type JudgeInput, ownModels } from './judge-input.ts';
import { assertMaySpend, type PlannedCalls } from './quote.ts';

export const rowsFile = 'rows.jsonl';
export const summaryFile = 'summary.json';

/** Everything but the rows that the figures depend on. */
export interface JudgeSettings {
  readonly mode: JudgeMode;
  /** Who judged. */
  readonly teacher: string;
  readonly judgeModel: string;
  readonly models: readonly string[];
  readonly baseline: string | null;
  /** Judged models that count as the judge's own. */
  readonly own: readonly string[];
  readonly samples: number;
  readonly temperature: number;
  readonly maxTokens: number;
  readonly seed: number;
}

export interface JudgeSummary extends JudgeResults {
  readonly settings: JudgeSettings;
  readonly files: JudgedFiles;
  /** Every wording that verdicts were given under. */
  readonly prompts: readonly PromptId[];
  readonly lengthUnit: 'characters';
}

export async function run(
  config: JudgeConfig,
  { questions, models, files }: JudgeInput,
  folder: string,
  context: RunContext,
): Promise<JudgeSummary> {
  // 1. What is put to the judge, and what it may cost.
  const { mode, baseline, samples, maxTokens, seed, judgeFamily, temperature = samples > 1 ? 1 : 0 } = config;
  const { ledger, budgetUsd, signal, progress } = context;
  const teacher = await context.teacher(config.teacher);
  const { model, name } = teacher;
  const tasks = planJudgeTasks(questions, models, { mode, baseline, samples });
  const judging = openJudging(mode, { model, maxTokens, temperature });
  assertMaySpend([{ teacher, calls: [plannedVerdicts(tasks, judging, teacher)] }], context);

  // 2. Verdicts; those that cannot be read are asked for again.
  const shown = askProgress(progress('verdicts'));
  const asking = {
    request: judging.request,
    check: (answer: TeacherAnswer, task: JudgeTask) => check(mode, answer, judging.prompt(task).complaint),
  };
  const complaint = (fault: Fault): string => (fault as VerdictFault).complaint;
  // A recording has one answer to a request, and none to a complaint.
  const askings = model.startsWith('recorded:') ? 0 : undefined;
  const options = { teacher, ledger, stage: `judge-${mode}`, budgetUsd, signal, complaint, askings, ...shown.listen };
  const judged: JudgeRow[] = [];
  await withSinks([[join(folder, rowsFile), 'lines']], async ([sink]) => {
    for await (const outcome of askChecked<JudgeTask, Verdict>(() => tasks, tasks.length, asking, options)) {
      const row = toRow(mode, outcome, judging, ledger);
      judged.push(withoutTexts(row));
      await sink?.write(row);
    }
    shown.finish();
    assertAnswered(judged, teacher);
  });

  // 3. What they come to.
  const names = models.map((one) => one.name);
  const own =
    judgeFamily === undefined ? names.filter((one) => one === model || one === name) : ownModels(names, judgeFamily);
  const settings: JudgeSettings = {
    ...{ mode, teacher: name, judgeModel: model, models: names, baseline: baseline ?? null, own },
    ...{ samples, temperature, maxTokens, seed },
  };
  return writeSummary(folder, settings, files, judged);
}

export function writeSummary(
  folder: string,
  settings: JudgeSettings,
  files: JudgedFiles,
  rows: readonly JudgeRow[],
): JudgeSummary {
  const results = judgeResults(rows, { ...settings, baseline: settings.baseline ?? undefined });
  const prompts = new Map(rows.map(({ prompt: { points: _, ...id } }) => [JSON.stringify(id), id]));
  const summary: JudgeSummary = {
    settings,
    files,
    prompts: [...prompts.values()],
    lengthUnit: 'characters',
    ...results,
  };
  writeJsonAtomic(join(folder, summaryFile), summary);
  return summary;
}

interface VerdictFault extends Fault {
  readonly complaint: string;
}

/** What the provider withholds it withholds again: that stands. */
function check(mode: JudgeMode, answer: TeacherAnswer, complaint: string): Checked<Verdict> {
  const { verdict, problem } = readSaid(mode, answer);
  if (verdict) return { value: verdict };
  const again = { stop: 'told', other: 'told', length: 'longer', 'content-filter': undefined } as const;
  const how = again[answer.finishReason];
  const fault: VerdictFault = { reason: problem.kind, detail: problem.reason, complaint, ...(how && { again: how }) };
  return { fault };
}

/** With every answer to the call and to its repetitions, out of the ledger. */
function toRow(
  mode: JudgeMode,
  { item: task, calls, answer, error }: CheckedOutcome<JudgeTask, Verdict>,
  judging: Judging,
  ledger: Ledger,
): JudgeRow {
  const { question, turn, models, answers, sample } = task;
  // Where the judge said the same again, asking again was the same request.
  const stored = calls.length > 1 ? ledger.lookup(calls) : undefined;
  const askings = [...new Set(calls)].flatMap((call) => {
    const said = stored ? stored.get(call)?.answer : answer;
    return said ? [{ call, text: said.text, finishReason: said.finishReason }] : [];
  });
  const said = { askings, ...(error && { error: error.message }) };
  return {
    ...{ question: question.id, turn, category: question.category, language: question.language },
    ...{ models, lengths: answers.map((texts) => [...(texts.at(-1) ?? '')].length), sample },
    prompt: { ...judging.prompt(task).id, points: pointsOf(task) },
    ...said,
    ...readAskings(mode, said),
  };
}

/** The texts stand in the file: a hundred thousand of them need not stay in memory. */
const withoutTexts = (row: JudgeRow): JudgeRow => ({ ...row, askings: [] });

function assertAnswered(rows: readonly JudgeRow[], teacher: Teacher): void {
  if (rows.length === 0) throw new WorkError('there is nothing to judge: no turn is answered by the models compared');
  if (rows.some(({ error }) => error === undefined)) return;
  throw new WorkError(`all ${rows.length} calls to ${teacher.name} failed: ${rows[0]?.error}`, {
    hint: 'run the same command again to ask again',
  });
}

/** Each verdict as long as it may be, none asked for again. */
function plannedVerdicts(tasks: readonly JudgeTask[], judging: Judging, { paid, price }: Teacher): PlannedCalls {
  if (!paid || !price) return { calls: tasks.length, boundUsd: undefined };
  const boundUsd = tasks.reduce((sum, task) => sum + upperBoundUsd(price, judging.request(task)), 0);
  return { calls: tasks.length, boundUsd };
}
