/** What a report is told to show, by what its files are: a run, or the results of one of the `evaluate` commands. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ConfigError, DataError } from '../src/base/errors.ts';
import { sha256 } from '../src/base/hash.ts';
import { parseJsonl, readJson, readText } from '../src/base/jsonl.ts';
import { isObject } from '../src/base/rows.ts';
import type { DataStatistics } from '../src/data/statistics.ts';
import { matchAnswerFile } from '../src/evaluate/answer-files.ts';
import type { AutomaticSummary, ChoiceRow, ExactRow, LossRow } from '../src/evaluate/automatic-summary.ts';
import { readJudgeRows } from '../src/evaluate/judge-rows.ts';
import { agreementWithJudge } from '../src/evaluate/people.ts';
import { readJudgeVerdicts } from '../src/evaluate/people-judge.ts';
import { readJudgedQuestions } from '../src/evaluate/question-files.ts';
import type { RougeByLength } from '../src/evaluate/rouge.ts';
import type { EvaluationRow } from '../src/evaluate/rows.ts';
import { summarize } from '../src/evaluate/summary.ts';
import { knownSetOf } from '../src/report/paper-figures.ts';
import type {
  DataRow,
  JudgedTurn,
  JudgeInput,
  PeopleInput,
  ReportInput,
  RougeInput,
  RougeRow,
  Source,
  SourceFiles,
} from '../src/report/report-input.ts';
import { automaticFiles } from './automatic.ts';
import { rowsFile } from './evaluate.ts';
import { type JudgeSummary, summaryFile } from './judge.ts';
import { type RunRecord, runFile, statisticsFile, trainFile } from './run-record.ts';
import type { SftResult } from './sft.ts';
import type { TrainingRow } from './training-folder.ts';

/** A study's results, votes and items; the studio has its database. */
export type PeopleReader = (folder: string) => Omit<PeopleInput, 'knownSet'>;

export interface SourceOptions {
  /** The report's folder: files are named relative to it. */
  readonly out: string;
  readonly people?: PeopleReader | undefined;
}

const studyFile = 'study.sqlite';

const hint =
  'known are: the output folder of `./understudy run`; the --out folders of `evaluate judge`, `evaluate automatic` and ' +
  '`evaluate compare`; the folder of `evaluate human`; what `evaluate rouge --json` printed, as a .json file';

/** Throws ConfigError where a folder is none of these, DataError where its files are broken. */
export function readSource(path: string, name: string, { out, people }: SourceOptions): Source {
  if (!existsSync(path)) throw new ConfigError(`no such file or folder: ${path}`, { hint });
  const files = (own: Readonly<Record<string, string>>): SourceFiles =>
    Object.fromEntries(
      Object.entries(own).flatMap(([key, file]) => (existsSync(file) ? [[key, relative(out, file)]] : [])),
    );
  if (statSync(path).isFile()) {
    return { kind: 'rouge', name, files: files({ figures: path }), input: readRouge(path, undefined) };
  }
  if (existsSync(join(path, runFile))) return { kind: 'run', name, ...readRun(path, files) };
  if (existsSync(join(path, studyFile))) {
    if (people === undefined) throw new ConfigError(`${path}: a study of people is not read here`);
    const study = people(path);
    const knownSet = knownSetOf([...new Map(study.items.map(({ question }) => [question.id, question.text])).values()]);
    return { kind: 'people', name, files: files({ items: join(path, studyFile) }), input: { ...study, knownSet } };
  }
  const file = join(path, summaryFile);
  const summary = existsSync(file) ? readJson(file) : undefined;
  const rows = join(path, rowsFile);
  if (isJudge(summary)) return { kind: 'judge', name, files: files({ rows }), input: readJudge(summary, rows) };
  if (isAutomatic(summary)) return { kind: 'automatic', name, ...readAutomatic(summary, path, files) };
  if (isRouge(summary)) return { kind: 'rouge', name, files: files({ rows }), input: readRouge(file, rows) };
  if (isComparison(summary)) {
    const read = readRows<EvaluationRow>(rows);
    return {
      kind: 'comparison',
      name,
      files: files({ questions: rows }),
      input: { summary: summarize(read), rows: read },
    };
  }
  throw new ConfigError(`${path} holds no finished run, and no results of an evaluation`, { hint });
}

const isJudge = (value: unknown): value is JudgeSummary =>
  isObject(value) && isObject(value['settings']) && Array.isArray(value['matches']) && isObject(value['calls']);
const isAutomatic = (value: unknown): value is AutomaticSummary =>
  isObject(value) && isObject(value['exact']) && isObject(value['choice']) && typeof value['questions'] === 'string';
const isRouge = (value: unknown): value is RougeByLength =>
  isObject(value) && isObject(value['all']) && Array.isArray(value['buckets']) && isObject(value['cjk']);
const isComparison = (value: unknown): boolean =>
  isObject(value) && typeof value['questions'] === 'number' && isObject(value['languages']);

const readRows = <Row>(file: string): Row[] => parseJsonl(readText(file), file).map(({ value }) => value as Row);

function readRun(folder: string, files: (own: Readonly<Record<string, string>>) => SourceFiles) {
  const { config, versions, finishedAt, stages: names, costs } = readRecord(join(folder, runFile));
  const stages = {
    data: join(folder, names.data),
    sft: join(folder, names.sft),
    evaluate: join(folder, names.evaluate),
  };
  const own = {
    questions: join(stages.evaluate, rowsFile),
    steps: join(stages.sft, 'train.jsonl'),
    data: join(stages.data, trainFile),
  };
  const sft = readJson(join(stages.sft, 'sft.json')) as SftResult;
  const rows = readRows<EvaluationRow>(own.questions);
  const input: ReportInput = {
    title: config.name,
    finishedAt,
    provenance: config.about,
    versions,
    config,
    data: readJson(join(stages.data, statisticsFile)) as DataStatistics[],
    dataRows: existsSync(own.data) ? readDataRows(own.data) : undefined,
    training: {
      log: readRows<TrainingRow>(own.steps),
      documents: sft.receipt.kept,
      trainedTokens: sft.trainedTokens,
      labelTokens: sft.labelTokens,
      cut: sft.receipt.cut.length,
      dropped: sft.receipt.dropped.length,
      seconds: sft.seconds,
      parameters: sft.parameters,
      dtype: sft.dtype,
    },
    evaluation: { summary: summarize(rows), rows },
    costs,
  };
  return { files: files(own), input };
}

function readRecord(file: string): RunRecord {
  const record = readJson(file) as Partial<RunRecord> | null;
  const { data, sft, evaluate } = record?.stages ?? {};
  if (record?.config === undefined || !data || !sft || !evaluate) {
    throw new DataError(file, { message: 'expected the record of a run: config, stages, costs' });
  }
  return record as RunRecord;
}

interface TrainedRow {
  readonly id?: string;
  readonly language?: string;
  readonly category?: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly provenance?: { readonly teacher?: string };
}

/** The last answer is the answer; all before it, with roles where there is more than a question, is the prompt. */
function readDataRows(file: string): DataRow[] {
  return readRows<TrainedRow>(file).map(({ id, language, category, messages, provenance }, i) => {
    const before = messages.slice(0, -1);
    const isPlain = before.length === 1 && before[0]?.role === 'user';
    return {
      id: id ?? String(i + 1),
      language: language ?? 'unknown',
      category: category ?? 'unknown',
      teacher: provenance?.teacher ?? 'unknown',
      prompt: isPlain ? before[0]!.content : before.map(({ role, content }) => `[${role}] ${content}`).join('\n\n'),
      answer: messages.at(-1)?.content ?? '',
    };
  });
}

function readJudge(summary: JudgeSummary, rows: string): JudgeInput {
  const { files } = summary;
  const questions = isUnchanged(files.questions) ? readJudgedQuestions(files.questions.file) : undefined;
  const knownSet =
    questions &&
    knownSetOf(questions.map(({ context, turns }) => [...context.map(({ content }) => content), ...turns].join('\n')));
  const turns = questions && files.answers.every(isUnchanged) ? new Map<string, JudgedTurn>() : undefined;
  if (turns && questions) {
    const models = files.answers.map(({ model, file }) => ({ model, ...matchAnswerFile(file, questions) }));
    for (const question of questions) {
      question.turns.forEach((_, i) => {
        const asked = [
          ...question.context.map(({ role, content }) => `[${role}] ${content}`),
          ...question.turns.slice(0, i + 1),
        ];
        const answers = models.flatMap(({ model, answers: given }): [string, string][] => {
          const answer = given.get(question.id)?.[i];
          return answer === undefined ? [] : [[model, answer]];
        });
        turns.set(`${question.id} ${i + 1}`, { prompt: asked.join('\n\n'), answers: Object.fromEntries(answers) });
      });
    }
  }
  return { results: summary, rows: readJudgeRows(rows), turns, knownSet };
}

const isUnchanged = ({ file, sha256: hash }: { readonly file: string; readonly sha256: string }): boolean =>
  existsSync(file) && sha256(readFileSync(file)) === hash;

function readAutomatic(
  summary: AutomaticSummary,
  folder: string,
  files: (own: Readonly<Record<string, string>>) => SourceFiles,
) {
  const at = (name: 'loss' | 'exact' | 'choice') => join(folder, automaticFiles[name]);
  const rows = {
    loss: readRows<LossRow>(at('loss')),
    exact: readRows<ExactRow>(at('exact')),
    choice: readRows<ChoiceRow>(at('choice')),
  };
  return { files: files({ loss: at('loss'), exact: at('exact'), choice: at('choice') }), input: { summary, rows } };
}

function readRouge(file: string, rows: string | undefined): RougeInput {
  const result = readJson(file);
  if (!isRouge(result)) throw new ConfigError(`${file} holds no results of \`evaluate rouge --json\``, { hint });
  return { result, rows: rows !== undefined && existsSync(rows) ? readRows<RougeRow>(rows) : undefined };
}

/** People's majority against the first judge among the sources that compared the same models on the same questions. */
export function withJudge(sources: readonly Source[], paths: readonly string[]): Source[] {
  return sources.map((source) => {
    if (source.kind !== 'people' || source.input.results.judge) return source;
    const { items, votes, results } = source.input;
    const at = sources.findIndex((one) => one.kind === 'judge' && hasJudged(one.input, items));
    if (at < 0) return source;
    const verdicts = readJudgeVerdicts(join(paths[at]!, rowsFile), items);
    return {
      ...source,
      input: { ...source.input, results: { ...results, judge: agreementWithJudge(votes, verdicts) } },
    };
  });
}

/** Whether any item's question was judged, and its two models against each other. */
function hasJudged({ results: { settings }, rows }: JudgeInput, items: PeopleInput['items']): boolean {
  const { mode, models, baseline } = settings;
  const judged = new Set(rows.map(({ question }) => question));
  return items.some(({ question, modelA, modelB }) => {
    const areCompared = mode === 'single' || baseline === null || [modelA, modelB].includes(baseline);
    return judged.has(question.id) && models.includes(modelA) && models.includes(modelB) && areCompared;
  });
}
