/**
 * Comparison data (Peng et al. 2023, arXiv 2304.03277, section 3.2: GPT-4 scores the answers of several models 1 to 10): answers
 * to each prompt, of files and of models that are asked here, scored by a teacher that does not know who wrote what, in an
 * order drawn by seed; or by a model's log-probability. Out come rows that a reward model or DPO learns from, a table of what they
 * have to teach, and a file of all that was put aside, raw verdicts too. Departures: halves may be given; ties, of which the
 * paper's data are full, are re-judged or averaged away by choice. Calls are in the ledger: another policy of ties or another
 * form asks only what was not asked yet. Rows stream, over files beside OUT that are deleted at the end.
 * ./understudy feedback prompts.jsonl --answers a=a.jsonl b=b.jsonl --provider openai --model gpt-4.1 --budget-usd 5 --out ranked.jsonl
 */
import { rmSync } from 'node:fs';
import { removeLeftoversOf, temporaryName } from '../src/base/atomic.ts';
import { readSeeds } from '../src/data/formats.ts';
import { openRowSink, type RowSink, withSinks } from '../src/data/row-sink.ts';
import { isBroken, streamRows } from '../src/data/row-stream.ts';
import {
  type CandidateGroup,
  type ScoredGroup,
  type Scoring,
  scoreGroups,
  teacherScoring,
} from '../src/generate/feedback.ts';
import { type Duel, settleTies, tiedTwos } from '../src/generate/feedback-ties.ts';
import { type FeedbackYield, YieldTally } from '../src/generate/feedback-yield.ts';
import type { Teacher } from '../src/teacher/teacher.ts';
import { askProgress } from './ask-progress.ts';
import type { RunContext } from './context.ts';
import { type Answerer, candidateGroups, type SourceCounts } from './feedback-answers.ts';
import { defaultVerdicts, type FeedbackConfig } from './feedback-config.ts';
import { allPrompts, type FeedbackFiles, type FeedbackSurvey, soundPrompts } from './feedback-input.ts';
import { logprobScoring, scorerTeacher } from './feedback-logprob.ts';
import { plannedFeedback } from './feedback-quote.ts';
import { toPreference, toRows } from './feedback-rows.ts';
import { openScorer } from './local-models.ts';
import { assertMaySpend } from './quote.ts';
import { shownExamples } from './shown-examples.ts';

export interface FeedbackResult {
  readonly out: string;
  readonly rejects: string;
  readonly form: FeedbackConfig['form'];
  /** Who scored. */
  readonly teacher: string;
  readonly ties: FeedbackConfig['ties'];
  /** Rows of the files of prompts: prompts + broken. */
  readonly rows: number;
  readonly broken: number;
  readonly prompts: number;
  /** Prompts with two answers or more that differ. */
  readonly compared: number;
  readonly answers: Readonly<Record<string, SourceCounts>>;
  /** Requests for scores: asked = read + partial + unreadable + failed. */
  readonly verdicts: Readonly<Record<'asked' | 'read' | 'partial' | 'unreadable' | 'failed', number>>;
  readonly yield: FeedbackYield;
  /** Rows of `out`. */
  readonly written: number;
  /** Rows of `rejects`, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
}

/** Writes all or nothing. `surveyed`: of the files, which must not change meanwhile. */
export async function run(
  config: FeedbackConfig,
  { prompts: files, out, rejects }: FeedbackFiles,
  { prompts: total, broken, recorded }: FeedbackSurvey,
  context: RunContext,
): Promise<FeedbackResult> {
  const { ledger, budgetUsd, signal, progress } = context;
  const prompts = () => soundPrompts(files, signal);

  // 1. Who answers and who scores, and what that may cost.
  const isJudge = config.scorer === 'judge';
  const teacher = await openJudge(config, context);
  const verdicts = defaultVerdicts(config);
  const { atOnce, temperature = verdicts > 1 ? 1 : 0, verdictTokens, seed, partial } = config;
  const settings = { verdicts, atOnce, temperature, maxTokens: verdictTokens, seed };
  const scoring = isJudge ? teacherScoring(teacher.model, settings) : shownScoring(config, teacher);
  const duels = config.ties === 'head-to-head' ? { maxTokens: config.duelTokens } : undefined;
  const answerers: Answerer[] = [];
  for (const one of config.answerers) answerers.push({ ...one, opened: await context.teacher(one.teacher) });
  assertMaySpend(await plannedFeedback(prompts, { answerers, recorded, teacher, scoring, duels }), context);

  const counts = new Map<string, SourceCounts>();
  const asked = { asked: 0, read: 0, partial: 0, unreadable: 0, failed: 0 };
  const rejected: Record<string, number> = {};
  const tally = new YieldTally(isJudge);
  let [compared, written] = [0, 0];
  for (const spilt of [`${out}.groups`, `${out}.scores`]) removeLeftoversOf(spilt);
  const [groupsFile, scoresFile] = [temporaryName(`${out}.groups`), temporaryName(`${out}.scores`)];
  try {
    await withSinks([[out, 'lines'] as const, [rejects, 'lines'] as const], async (sinks) => {
      const [sink, rejectSink] = sinks as readonly [RowSink, RowSink];
      const reject = async (row: { readonly reason: string; readonly [member: string]: unknown }): Promise<void> => {
        rejected[row.reason] = (rejected[row.reason] ?? 0) + 1;
        await rejectSink.write(row);
      };
      if (broken > 0) {
        for await (const row of allPrompts(files, signal)) {
          if ('problem' in row)
            await reject({ file: row.file, row: row.row, reason: 'broken row', detail: row.problem, value: row.value });
        }
      }

      // 2. The answers to each prompt, each text once.
      let numTasks = 0;
      const sources = { recorded, answerers, cut: config.cut };
      const found = candidateGroups(prompts, total, sources, context, counts, ({ file, row, id }, why, calls) =>
        reject({ file, row, id, ...why, calls }),
      );
      compared = await spill<CandidateGroup>(groupsFile, found, (group) => {
        numTasks += scoring.tasks(group).length;
      });

      // 3. Their scores.
      const bar = askProgress(progress('scores'));
      const ask = { teacher, ledger, budgetUsd, signal };
      const listening = { ...ask, stage: 'feedback-scores', ...bar.listen };
      let numTied = 0;
      const groups = () => spilled<CandidateGroup>(groupsFile, compared);
      await spill<ScoredGroup>(scoresFile, scoreGroups(groups, numTasks, scoring, partial, listening), (group) => {
        numTied += tiedTwos(group.candidates).length;
      });
      bar.finish();

      // 4. Ties, head to head where that was chosen.
      const scored = () => spilled<ScoredGroup>(scoresFile, compared);
      const duelBar = askProgress(progress('ties, head to head'));
      const duelAsk = { ...ask, stage: 'feedback-ties', ...duelBar.listen };
      const settled = duels ? settleTies(scored, numTied, duels, duelAsk) : withoutDuels(scored());

      // 5. Rows, and what they have to teach.
      for await (const { group, duels: own } of settled) {
        const { file, row, id, unread, requests } = group;
        const preference = toPreference(group, own);
        tally.add(group, preference, own);
        asked.asked += requests;
        asked.read += requests - unread.length;
        for (const { problem, ...said } of unread) {
          asked[problem] += 1;
          await reject({ file, row, id, reason: `${problem} verdict`, ...said });
        }
        for (const { result, calls, unread: texts } of own) {
          if (texts.length > 0 || result === 'failed')
            await reject({ file, row, id, reason: `${result} comparison`, text: texts.at(-1) ?? '', calls });
        }
        const made = toRows(config.form, group, preference, teacher.name);
        if ('problem' in made) await reject({ file, row, id, ...made.problem, calls: preference.provenance.calls });
        else for (const one of made.rows) await sink.write(one);
        written += 'rows' in made ? made.rows.length : 0;
      }
      if (duels) duelBar.finish();
    });
  } finally {
    for (const file of [groupsFile, scoresFile]) rmSync(file, { force: true });
  }
  return {
    ...{ out, rejects, form: config.form, teacher: teacher.name, ties: config.ties },
    ...{ rows: total + broken, broken, prompts: total, compared },
    answers: Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1))),
    verdicts: asked,
    yield: tally.result(),
    ...{ written, rejected },
  };
}

async function openJudge({ teacher, scorer }: FeedbackConfig, context: RunContext) {
  if (scorer === 'judge' || teacher.provider !== 'local') return context.teacher(teacher);
  return scorerTeacher(await openScorer(await context.engine(), teacher.model));
}

function shownScoring({ seeds: files, examples }: FeedbackConfig, { model }: Teacher): Scoring {
  const seeds = examples > 0 ? readSeeds(files) : [];
  return logprobScoring(model, (language) => shownExamples(seeds, language, examples));
}

async function* withoutDuels(
  groups: AsyncIterable<ScoredGroup>,
): AsyncGenerator<{ readonly group: ScoredGroup; readonly duels: readonly Duel[] }> {
  for await (const group of groups) yield { group, duels: [] };
}

/** Writes rows to a file, to be gone through several times; says how many there are. */
async function spill<Row extends object>(
  file: string,
  rows: AsyncIterable<Row>,
  onRow: (row: Row) => void,
): Promise<number> {
  const sink = await openRowSink(file, 'lines');
  let count = 0;
  try {
    for await (const row of rows) {
      onRow(row);
      await sink.write(row);
      count += 1;
    }
    await sink.commit();
  } finally {
    sink.abort();
  }
  return count;
}

async function* spilled<Row>(file: string, count: number): AsyncGenerator<Row> {
  if (count === 0) return;
  for await (const line of streamRows(file)) if (!isBroken(line)) yield line.value as Row;
}
