/** What the report says, in order, for page and Markdown alike: the sentences at the top, then the parts. */
import type { DataStatistics } from '../data/statistics.ts';
import type { EvaluationSummary } from '../evaluate/summary.ts';
import { alignRuns, alignTables } from './align.ts';
import { automaticPart } from './automatic-parts.ts';
import { lossCurves, seriesClass } from './comparison-charts.ts';
import { costsPart } from './costs-part.ts';
import { judgePart, lossPart, rougePart } from './evaluation-parts.ts';
import { countCell, meanCell } from './figure-cells.ts';
import { count, signed } from './format.ts';
import { fewestPairs, type HeadlineRow, headlineRows, languagesOf } from './headline.ts';
import { judgeFolderPart } from './judge-parts.ts';
import { loopPart } from './loop-parts.ts';
import { charts, type Part } from './part.ts';
import { peoplePart } from './people-parts.ts';
import type { EvaluationInput, Report, ReportInput, Source } from './report-input.ts';
import { rlPart } from './rl-parts.ts';
import { type NamedRouge, rougeFilesPart } from './rouge-parts.ts';
import type { RowSet } from './rows.ts';
import { rowsOfAutomatic, rowsOfRouge } from './rows-of-evaluations.ts';
import { rowsOfJudge } from './rows-of-judge.ts';
import { rowsOfPeople } from './rows-of-people.ts';
import { rowsOfRl } from './rows-of-rl.ts';
import { rowsOfEvaluation, rowsOfRun } from './rows-of-run.ts';
import { rowsOfTraining } from './rows-of-training.ts';
import { configurationPart, dataPart, trainingPart } from './run-parts.ts';
import { runsAgainstPart } from './runs-against.ts';
import type { Cell, Table } from './table.ts';
import { trainingRunPart } from './training-run-parts.ts';
import type { Words } from './words.ts';

/** A run, or an evaluation of two models as a run makes one: what the parts of runs are made of. */
export interface NamedRun {
  readonly id: string;
  readonly name: string;
  readonly evaluation: EvaluationInput;
  /** undefined where there was no run of the chain. */
  readonly input: ReportInput | undefined;
}

/** `judge-2`: its place among the sources, from 1. */
const idOf = ({ kind }: Source, i: number): string => `${kind}-${i + 1}`;

export function runsOf({ sources }: Report): NamedRun[] {
  return sources.flatMap((source, i): NamedRun[] => {
    const id = idOf(source, i);
    if (source.kind === 'run')
      return [{ id, name: source.name, evaluation: source.input.evaluation, input: source.input }];
    return source.kind === 'comparison' ? [{ id, name: source.name, evaluation: source.input, input: undefined }] : [];
  });
}

export function provenanceOf({ provenance }: Pick<ReportInput, 'provenance'>, { say }: Words): readonly string[] {
  return provenance.length > 0 ? provenance : [say('Who taught this model was not recorded.')];
}

/** What the headline table rests on, and what it has no row for. */
export function headlineNotes(summary: EvaluationSummary, words: Words): string[] {
  const { say } = words;
  if (summary.questions === 0) return [say('No questions were evaluated: nothing can be said about the student.')];
  const languages = languagesOf(summary);
  const missing = ['en', 'zh'].filter((code) => !languages.some(([language]) => language === code));
  const questions = words.list(
    languages.map(([code, figures]) => `${count(figures.questions)} ${words.languageName(code)}`),
  );
  const measured = headlineRows(summary).filter(({ difference }) => difference !== undefined);
  const few = measured.some(({ verdict }) => verdict === 'too few to say');
  const there = measured.length === 1 ? say('there is 1') : say('there are {n}', { n: count(measured.length) });
  return [
    say(
      '{n} held-out questions: {questions}. “Before” is the student as it was taken, “after” the same student after training, on the same questions.',
      { n: count(summary.questions), questions },
    ),
    ...missing.map((code) =>
      say('No {language} questions were in this evaluation.', { language: words.languageName(code) }),
    ),
    say(
      'The word is read off the interval alone: better or worse where the whole 95 % interval lies on one side of 0. About one such interval in twenty misses the truth by chance; {there} here.',
      { there },
    ),
    ...(few
      ? [say('On fewer than {n} questions an interval proves nothing, so no word is given.', { n: fewestPairs })]
      : []),
  ];
}

/** What all runs have in common once, the rest under the run's name. */
export function notesOfRuns(runs: readonly NamedRun[], words: Words): string[] {
  const notes = runs.map(({ name, evaluation }) => ({ name, own: headlineNotes(evaluation.summary, words) }));
  const isCommon = (note: string) => notes.every(({ own }) => own.includes(note));
  const apart = notes.flatMap(({ name, own }) =>
    own.filter((note) => !isCommon(note)).map((note) => words.say('{name}: {text}', { name, text: note })),
  );
  return [...apart, ...(notes[0]?.own.filter(isCommon) ?? [])];
}

/** Which rows a line of the headline table is made of. */
export function headlineFilter({
  measure,
  language,
}: Pick<HeadlineRow, 'measure' | 'language'>): Readonly<Record<string, string>> {
  const more = {
    heldOutLoss: {},
    teacherLogprob: { scored: 'scored' },
    teacherScore: { judged: 'both' },
    rougeL: { units: 'words' },
    rougeLCharacters: { units: 'characters' },
  };
  return { language, ...more[measure] };
}

export function headlineTable(runs: readonly NamedRun[], words: Words): Table {
  const { say } = words;
  const numeric = (label: string) => ({ label, numeric: true });
  const tables = runs.map(({ id, name, evaluation }) => ({
    name,
    table: {
      caption: say('Before and after training'),
      columns: [
        { label: say('measure') },
        ...[say('n'), say('before'), say('after'), say('difference'), say('95 % interval')].map(numeric),
        { label: say('in a word') },
        { label: say('denominators') },
      ],
      rows: headlineRows(evaluation.summary, words).map((row): Cell[] => {
        const { n, questions, before, after, difference, places, verdict, denominators } = row;
        const rows = { set: `${id}-questions`, filter: headlineFilter(row) };
        const none = say('none');
        const mean = (value: number | undefined): Cell =>
          value === undefined ? none : meanCell({ mean: value, low: value, high: value, n }, places, rows);
        return [
          say('{metric}, {language} ({scale})', {
            metric: row.metric,
            language: words.languageName(row.language),
            scale: row.scale,
          }),
          { ...countCell(n, questions, rows), text: `${n}/${questions}` },
          withoutInterval(mean(before)),
          withoutInterval(mean(after)),
          difference === undefined ? none : meanCell(difference, places, rows, signed),
          difference === undefined ? none : words.interval(difference, places),
          say(verdict),
          denominators,
        ];
      }),
    },
  }));
  return tables.length === 1 ? tables[0]!.table : alignTables(tables, words);
}

/** The headline rows carry means alone; their intervals stand in the parts. */
function withoutInterval(cell: Cell): Cell {
  if (typeof cell === 'string' || cell.figure === undefined) return cell;
  const { value, n } = cell.figure;
  return { ...cell, figure: { value, n } };
}

export function reportParts(report: Report, words: Words): Part[] {
  const runs = runsOf(report);
  const ofRuns = alignRuns(
    runs.map((run) => ({ name: run.name, parts: runParts(run, words) })),
    words,
  );
  return [
    ...(runs.length > 1
      ? [
          runsAgainstPart(
            runs.map(({ id, name, evaluation, input }) => ({ id, name, rows: evaluation.rows, config: input?.config })),
            words,
          ),
        ]
      : []),
    ...evaluationParts(report, words),
    ...withCurves(ofRuns, runs, words),
  ];
}

function runParts({ id, evaluation: { summary }, input }: NamedRun, words: Words): Part[] {
  const questions = (filter: Readonly<Record<string, string>>) => ({ set: `${id}-questions`, filter });
  const evaluated = [
    lossPart(summary, words, questions),
    judgePart(summary, words, questions),
    rougePart(summary, words, questions),
  ];
  if (input === undefined) return evaluated;
  const { dataRows, removed, calls } = input;
  const link = (set: string, isThere: boolean) => (filter: Readonly<Record<string, string>>) =>
    isThere ? { set: `${id}-${set}`, filter } : undefined;
  const ofData = link('data', dataRows !== undefined);
  // Rows of earlier versions know their teacher alone: sets of one teacher share their rows.
  const knowSets = dataRows?.every(({ set }) => set !== undefined);
  const links = {
    kept: ({ name, teacher }: DataStatistics, filter: Readonly<Record<string, string>>) =>
      ofData({ ...(knowSets ? { set: name } : { teacher }), ...filter }),
    removed: (set: string, filter: Readonly<Record<string, string>>) =>
      link('removed', removed !== undefined)({ set, ...filter }),
  };
  return [
    ...evaluated,
    ...(input.loop ? [loopPart(input.loop, words, (filter) => ({ set: `${id}-rounds`, filter }))] : []),
    trainingPart(input.training, words, { set: `${id}-steps`, filter: {} }, ofData),
    dataPart(input, words, links),
    costsPart(input, words, link('calls', calls !== undefined)),
    configurationPart(input, words),
  ];
}

/** All runs' losses in one picture, before each run's own. */
function withCurves(parts: readonly Part[], runs: readonly NamedRun[], words: Words): Part[] {
  const trained = runs.filter(({ input }) => input !== undefined && input.training.log.length > 0);
  if (trained.length < 2) return [...parts];
  const title = words.say('Training loss of all runs');
  const chart = {
    title,
    svg: lossCurves(
      trained.map(({ input }) => input!.training.log),
      words,
    ),
    caption: words.say('Each is the running mean over a twentieth of its steps.'),
    legend: trained.map(({ name }, i): [string, string] => [seriesClass(i), name]),
  };
  return parts.map((part) => (part.id === 'training' ? { ...part, blocks: [charts(chart), ...part.blocks] } : part));
}

function evaluationParts({ sources }: Report, words: Words): Part[] {
  const rouge = sources.flatMap((source, i): NamedRouge[] =>
    source.kind === 'rouge' ? [{ id: idOf(source, i), name: source.name, input: source.input }] : [],
  );
  const parts = sources.flatMap((source, i): Part[] => {
    const [id, { name }] = [idOf(source, i), source];
    if (source.kind === 'judge') return [judgeFolderPart(id, name, source.input, words)];
    if (source.kind === 'people') return [peoplePart(id, name, source.input, words)];
    if (source.kind === 'rl') return [rlPart(id, name, source.input, words)];
    if (source.kind === 'training') return [trainingRunPart(id, name, source.input, words)];
    return source.kind === 'automatic' ? [automaticPart(id, name, source.input, words)] : [];
  });
  return [...parts, ...(rouge.length > 0 ? [rougeFilesPart(rouge, words)] : [])];
}

/** All rows that figures of the report point to. */
export function reportRows({ sources }: Report, words: Words): RowSet[] {
  return sources.flatMap((source, i) => rowsOf(source, idOf(source, i), words));
}

function rowsOf(source: Source, id: string, words: Words): RowSet[] {
  const { name, files } = source;
  switch (source.kind) {
    case 'run':
      return rowsOfRun(id, name, source.input, files, words);
    case 'comparison':
      return [rowsOfEvaluation(id, name, source.input, files, words)];
    case 'judge':
      return rowsOfJudge(id, name, source.input, files, words);
    case 'people':
      return rowsOfPeople(id, name, source.input, files, words);
    case 'automatic':
      return rowsOfAutomatic(id, name, source.input, files, words);
    case 'rouge':
      return rowsOfRouge(id, name, source.input, files, words);
    case 'rl':
      return rowsOfRl(id, name, source.input, files, words);
    case 'training':
      return rowsOfTraining(id, name, source.input, files, words);
  }
}
