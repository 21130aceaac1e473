/** What a report is told to show, by what its files are: a run, or the results of one of the `evaluate` commands. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ConfigError } from '../src/base/errors.ts';
import { sha256 } from '../src/base/hash.ts';
import { readJson } from '../src/base/jsonl.ts';
import { isObject } from '../src/base/rows.ts';
import { matchAnswerFile } from '../src/evaluate/answer-files.ts';
import type { AutomaticSummary, ChoiceRow, ExactRow, LossRow } from '../src/evaluate/automatic-summary.ts';
import { readJudgeRows } from '../src/evaluate/judge-rows.ts';
import { agreementWithJudge } from '../src/evaluate/people.ts';
import { readJudgeVerdicts } from '../src/evaluate/people-judge.ts';
import { readJudgedQuestions } from '../src/evaluate/question-files.ts';
import type { RougeRow } from '../src/evaluate/rouge.ts';
import type { EvaluationRow } from '../src/evaluate/rows.ts';
import { summarize } from '../src/evaluate/summary.ts';
import { knownSetOf } from '../src/report/paper-figures.ts';
import type {
  JudgedTurn,
  JudgeInput,
  PeopleInput,
  RougeInput,
  Source,
  SourceFiles,
} from '../src/report/report-input.ts';
import { automaticFiles } from './automatic.ts';
import { rowsFile } from './evaluate.ts';
import { type JudgeSummary, summaryFile } from './judge.ts';
import { readRun } from './report-run.ts';
import { requireFiles, rowsOfFile } from './report-run-rows.ts';
import { isRlFolder, isTrainingFolder, readRl, readTraining } from './report-training.ts';
import { isRouge } from './rouge.ts';
import { runFile } from './run-record.ts';

/** A study's results, votes and items; the studio has its database. */
export type PeopleReader = (folder: string) => Omit<PeopleInput, 'knownSet'>;

export interface SourceOptions {
  /** The report's folder: files are named relative to it. */
  readonly out: string;
  readonly people?: PeopleReader | undefined;
}

const studyFile = 'study.sqlite';

const hint =
  'known are: the output folder of `./understudy run`; the --out folders of `evaluate judge`, `evaluate automatic`, ' +
  '`evaluate compare` and `evaluate rouge`; the folders of `evaluate human` and of `train`; what `evaluate rouge --json` printed, as a .json file';

const again = 'give the `./understudy evaluate` command that made the folder again: answers are found in its ledger';

/** Throws ConfigError where a folder is none of these, DataError where its files are broken. */
export function readSource(path: string, name: string, { out, people }: SourceOptions): Source {
  if (!existsSync(path)) throw new ConfigError(`no such file or folder: ${path}`, { hint });
  const files = (own: Readonly<Record<string, string>>): SourceFiles =>
    Object.fromEntries(
      Object.entries(own).flatMap(([key, file]) => (existsSync(file) ? [[key, relative(out, file)]] : [])),
    );
  if (statSync(path).isFile()) {
    if (/\.jsonl(\.|$)/.test(path)) {
      throw new ConfigError(`${path} holds rows, and a report is made of results`, {
        hint: `rewarded answers: ./understudy evaluate best-of FILE; answers and references: evaluate rouge --out FOLDER; ${hint}`,
      });
    }
    return { kind: 'rouge', name, files: files({ figures: path }), input: readRouge(path, undefined) };
  }
  if (existsSync(join(path, runFile))) {
    const run = readRun(path);
    return { kind: 'run', name, files: files(run.files), input: run.input };
  }
  if (existsSync(join(path, studyFile))) {
    if (people === undefined) throw new ConfigError(`${path}: a study of people is not read here`);
    const study = people(path);
    const knownSet = knownSetOf([...new Map(study.items.map(({ question }) => [question.id, question.text])).values()]);
    return { kind: 'people', name, files: files({ items: join(path, studyFile) }), input: { ...study, knownSet } };
  }
  if (isRlFolder(path)) {
    const policy = readRl(path);
    return { kind: 'rl', name, files: files(policy.files), input: policy.input };
  }
  if (isTrainingFolder(path)) {
    const training = readTraining(path);
    return { kind: 'training', name, files: files(training.files), input: training.input };
  }
  const file = join(path, summaryFile);
  const summary = existsSync(file) ? readJson(file) : undefined;
  const rows = join(path, rowsFile);
  if (isJudge(summary) || isComparison(summary)) requireFiles(path, [rows], again);
  if (isJudge(summary)) return { kind: 'judge', name, files: files({ rows }), input: readJudge(summary, rows) };
  if (isAutomatic(summary)) return { kind: 'automatic', name, ...readAutomatic(summary, path, files) };
  if (isRouge(summary)) return { kind: 'rouge', name, files: files({ rows }), input: readRouge(file, rows) };
  if (isComparison(summary)) {
    const read = rowsOfFile<EvaluationRow>(rows);
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
const isComparison = (value: unknown): boolean =>
  isObject(value) && typeof value['questions'] === 'number' && isObject(value['languages']);

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
  requireFiles(folder, [at('loss'), at('exact'), at('choice')], again);
  const rows = {
    loss: rowsOfFile<LossRow>(at('loss')),
    exact: rowsOfFile<ExactRow>(at('exact')),
    choice: rowsOfFile<ChoiceRow>(at('choice')),
  };
  return { files: files({ loss: at('loss'), exact: at('exact'), choice: at('choice') }), input: { summary, rows } };
}

function readRouge(file: string, rows: string | undefined): RougeInput {
  const result = readJson(file);
  if (!isRouge(result)) throw new ConfigError(`${file} holds no results of \`evaluate rouge --json\``, { hint });
  return { result, rows: rows !== undefined && existsSync(rows) ? rowsOfFile<RougeRow>(rows) : undefined };
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
      input: { ...source.input, verdicts, results: { ...results, judge: agreementWithJudge(votes, verdicts) } },
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
