/** The rows behind a run's figures: its held-out questions, its training steps, and what rows-of-data.ts has. */

import { summarizeJudge } from '../evaluate/judge-summary.ts';
import { groupOf } from '../evaluate/rouge.ts';
import type { EvaluationRow } from '../evaluate/rows.ts';
import { count, fixed } from './format.ts';
import type { EvaluationInput, ReportInput, SourceFiles, TrainingLogRow } from './report-input.ts';
import { flagLabels, languageLabels } from './row-labels.ts';
import type { BrowserRow, RowSet } from './rows.ts';
import { callRows, removedRows, trainedRows } from './rows-of-data.ts';
import { rowsOfLoop } from './rows-of-loop.ts';
import { measures } from './samples.ts';
import type { Words } from './words.ts';

export function rowsOfRun(id: string, name: string, input: ReportInput, files: SourceFiles, words: Words): RowSet[] {
  const { dataRows, removed, calls, training, evaluation, loop } = input;
  return [
    rowsOfEvaluation(id, name, evaluation, files, words),
    ...(loop ? [rowsOfLoop(id, name, loop, words)] : []),
    stepRows(`${id}-steps`, name, training.log, files['steps'], words),
    ...(dataRows ? [trainedRows(`${id}-data`, name, dataRows, files['data'], words)] : []),
    ...(removed ? [removedRows(`${id}-removed`, name, removed, words)] : []),
    ...(calls ? [callRows(`${id}-calls`, name, calls, files['calls'], words)] : []),
  ];
}

export function rowsOfEvaluation(
  id: string,
  name: string,
  { rows }: EvaluationInput,
  files: SourceFiles,
  words: Words,
): RowSet {
  const { say } = words;
  return {
    id: `${id}-questions`,
    title: say('{name}: held-out questions', { name }),
    facets: [
      { name: 'language', label: say('language') },
      { name: 'category', label: say('category') },
      { name: 'length', label: say('words in the reference') },
      { name: 'winner', label: say('winner by score') },
      { name: 'likelier', label: say('likelier to the teacher') },
      { name: 'flags', label: say('seen') },
    ],
    labels: {
      ...languageLabels(words),
      before: say('before'),
      after: say('after'),
      tie: say('tie'),
      equal: say('equal'),
      scored: say('scored'),
      cjk: say('Chinese'),
      ...flagLabels(words),
      '=none': say('not judged'),
    },
    rows: rows.map((row) => questionRow(row, words)),
    file: files['questions'],
  };
}

function questionRow(row: EvaluationRow, words: Words): BrowserRow {
  const { say } = words;
  const group = groupOf(row);
  const { asked, flags, ...judged } = judgeFacets(row);
  const ended = [row.before, row.after].some(({ finishReason }) => finishReason === 'length');
  const isEmpty = [row.before, row.after].some(({ text }) => text.trim() === '');
  return {
    id: row.id,
    facets: {
      language: [row.language],
      category: [row.category],
      length: [group],
      units: [group === 'cjk' ? 'characters' : 'words'],
      ...judged,
      calls: asked,
      likelier: likelier(row),
      scored: likelier(row).length > 0 ? ['scored'] : [],
      flags: [...flags, ...(ended ? ['cut'] : []), ...(isEmpty ? ['empty'] : [])],
    },
    prompt: row.prompt,
    texts: [
      [say('Teacher’s reference'), row.reference],
      [say('Student before'), row.before.text],
      [say('Student after'), row.after.text],
      ...row.judge.map(({ raw }, i): [string, string] => [say('Verdict {n}', { n: i + 1 }), raw]),
    ],
    values: measures(row, words).map((measure): [string, string] => ['', measure]),
  };
}

function judgeFacets(row: EvaluationRow) {
  const summary = summarizeJudge([row]);
  if (summary === undefined) return { winner: ['=none'], judged: [], asked: [], flags: [] };
  const { compared, wins, losses, flips } = summary;
  const calls = (['parsed', 'unreadable', 'refused', 'failed'] as const).filter((kind) => summary[kind] > 0);
  return {
    winner: compared === 0 ? ['=none'] : [wins > 0 ? 'after' : losses > 0 ? 'before' : 'tie'],
    judged: compared > 0 ? ['both'] : [],
    asked: ['asked', ...calls],
    flags: [...(flips > 0 ? ['flip'] : []), ...calls.filter((kind) => kind !== 'parsed')],
  };
}

function likelier({ teacherBefore, teacherAfter }: EvaluationRow): string[] {
  if (teacherBefore === undefined || teacherAfter === undefined) return [];
  const [before, after] = [teacherBefore, teacherAfter].map(({ sum, tokens }) => sum / tokens) as [number, number];
  return [after > before ? 'after' : after < before ? 'before' : 'equal'];
}

export function stepRows(
  id: string,
  name: string,
  log: readonly TrainingLogRow[],
  file: string | undefined,
  words: Words,
  loss: 'loss' | 'loss (nats per token)' = 'loss (nats per token)',
): RowSet {
  const { say } = words;
  return {
    id,
    title: say('{name}: training steps', { name }),
    facets: [{ name: 'epoch', label: say('epoch') }],
    labels: {},
    rows: log.map((row) => ({
      id: say('step {n}', { n: row.step }),
      facets: { epoch: [String(row.epoch)] },
      prompt: '',
      texts: [],
      values: [
        [say(loss), fixed(row.loss, 4)],
        [say('gradient norm'), fixed(row.gradNorm, 4)],
        [say('learning rate'), String(Number(row.learningRate.toPrecision(4)))],
        [say('tokens computed'), count(row.tokens)],
        ...(row.heldOutLoss === undefined ? [] : [[say('held-out loss'), fixed(row.heldOutLoss, 4)] as const]),
        ...(row.seconds === undefined ? [] : [[say('seconds'), fixed(row.seconds, 1)] as const]),
        // By the names of the training log.
        ...Object.entries(row.metrics ?? {}).map(([metric, value]): [string, string] => [
          '',
          `${metric} ${fixed(value, 4)}`,
        ]),
      ],
    })),
    file,
  };
}
