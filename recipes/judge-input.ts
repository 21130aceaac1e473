/** What a judge is to see: questions, and several models' answers to them, held against each other before anything is asked. */
import { readFileSync } from 'node:fs';
import { ConfigError, DataError } from '../src/base/errors.ts';
import { sha256 } from '../src/base/hash.ts';
import { type MissingAnswer, matchAnswerFile } from '../src/evaluate/answer-files.ts';
import type { JudgedModel } from '../src/evaluate/judge-plan.ts';
import { type JudgedQuestion, readJudgedQuestions } from '../src/evaluate/question-files.ts';
import type { JudgeConfig } from './judge-config.ts';

export interface JudgeFiles {
  readonly questions: string;
  readonly answers: readonly { readonly name: string; readonly file: string }[];
  /** Reference answers, in a form of answers; they go before those of the file of questions. */
  readonly references?: string | undefined;
  /** Turns that a model did not answer are left out and counted; else they are an error. */
  readonly allowMissing?: boolean | undefined;
}

export interface ReadFile {
  readonly file: string;
  readonly sha256: string;
}

/** What was read, for the record. */
export interface JudgedFiles {
  readonly questions: ReadFile;
  readonly references?: ReadFile;
  readonly answers: readonly (ReadFile & {
    readonly model: string;
    /** Turns without an answer: never shown to the judge, and in no figure. */
    readonly missing: readonly MissingAnswer[];
  })[];
}

export interface JudgeInput {
  readonly questions: readonly JudgedQuestion[];
  readonly models: readonly JudgedModel[];
  readonly files: JudgedFiles;
}

type Compared = Pick<JudgeConfig, 'mode' | 'baseline' | 'judgeFamily'>;

/** Throws ConfigError or DataError that name what is broken, missing or does not fit together. */
export function readJudgeInput(given: JudgeFiles, { mode, baseline, judgeFamily }: Compared): JudgeInput {
  const { allowMissing = false } = given;
  const names = given.answers.map(({ name }) => name);
  checkNames(names, mode, baseline);
  if (judgeFamily !== undefined && ownModels(names, judgeFamily).length === 0) {
    throw new ConfigError(`--judge-family: no judged model’s name begins with ${JSON.stringify(judgeFamily)}`, {
      hint: `judged are ${names.join(', ')}`,
    });
  }
  const questions = withReferences(readJudgedQuestions(given.questions), given.references);
  const matched = given.answers.map(({ name, file }) => ({ name, file, ...matchAnswerFile(file, questions) }));
  for (const { file, missing } of matched) {
    if (missing.length === 0) continue;
    if (!allowMissing || missing.length === questions.reduce((sum, { turns }) => sum + turns.length, 0)) {
      const issues = missing.map(({ question, turn }) => ({
        message: `no answer to question ${JSON.stringify(question)}${turn > 1 ? `, turn ${turn}` : ''}`,
      }));
      throw new DataError(file, issues, {
        hint: `${missing.length} answers are missing; --allow-missing leaves out some of them, and counts them`,
      });
    }
  }
  const files: JudgedFiles = {
    questions: readFile(given.questions),
    ...(given.references !== undefined && { references: readFile(given.references) }),
    answers: matched.map(({ name, file, missing }) => ({ model: name, ...readFile(file), missing })),
  };
  return { questions, models: matched.map(({ name, answers }) => ({ name, answers })), files };
}

/** Judged models that count as the judge's own. */
export const ownModels = (names: readonly string[], family: string): string[] =>
  names.filter((name) => name.toLowerCase().startsWith(family.toLowerCase()));

function checkNames(names: readonly string[], mode: JudgeConfig['mode'], baseline: string | undefined): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new ConfigError(`--answers: expected each name once, got ${twice} again`);
  if (mode !== 'single' && names.length < 2) {
    throw new ConfigError(
      `mode ${mode}: expected the answers of two models or more, got ${names.join(', ') || 'none'}`,
      {
        hint: 'give each as --answers NAME=FILE; a single model is judged in mode single',
      },
    );
  }
  if (mode === 'reference' && baseline === undefined) {
    throw new ConfigError('mode reference: expected --baseline NAME, the model that is 100 %', {
      hint: `one of ${names.join(', ')}`,
    });
  }
  if (baseline !== undefined && !names.includes(baseline))
    throw new ConfigError(`--baseline: expected one of ${names.join(', ')}, got ${baseline}`);
}

function withReferences(questions: readonly JudgedQuestion[], file: string | undefined): readonly JudgedQuestion[] {
  if (file === undefined) return questions;
  const { answers } = matchAnswerFile(file, questions);
  return questions.map((question) => ({
    ...question,
    references: question.references.map((own, i) => answers.get(question.id)?.[i] ?? own),
  }));
}

const readFile = (file: string): ReadFile => ({ file, sha256: sha256(readFileSync(file)) });
