/**
 * The product's own data: seed tasks that generation starts from, and the held-out questions of an evaluation. Both are
 * JSON Lines in Alpaca's members, all of which have to be there; ids are unique over all files read together.
 */
import { DataError, type DataIssue } from '../../base/errors.ts';
import { isObject, kindOf, readRows } from '../../base/rows.ts';
import { guessLanguage } from '../guess-language.ts';
import type { Conversation } from '../records.ts';
import { alpacaPrompt } from './alpaca.ts';
import { type Members, type Report, requiredString } from './row.ts';

export interface Seed {
  readonly id: string;
  readonly language: 'en' | 'zh';
  readonly category: string;
  /** The output is one of few labels. */
  readonly classification: boolean;
  readonly instruction: string;
  /** '' where the instruction needs none. */
  readonly input: string;
  readonly output: string;
  readonly file: string;
  readonly row: number;
}

export interface Question {
  readonly id: string;
  readonly language: 'en' | 'zh';
  readonly category: string;
  /** The user's turn. */
  readonly prompt: string;
  readonly reference: string;
}

/** Throws DataError with every issue of the first file that has one. */
export function readSeeds(files: readonly string[]): Seed[] {
  return readTasks(files, (members, task, report) => {
    const { classification } = members;
    if (typeof classification !== 'boolean')
      report('classification', `expected true or false, got ${kindOf(classification)}`);
    return { ...task, classification: classification === true };
  });
}

/** Throws DataError with every issue of the first file that has one. */
export function readQuestions(files: readonly string[]): Question[] {
  return readTasks(files, (_, { id, language, category, instruction, input, output }) => {
    return { id, language, category, prompt: alpacaPrompt(instruction, input), reference: output };
  });
}

export function seedConversation({
  id,
  language,
  category,
  instruction,
  input,
  output,
  file,
  row,
}: Seed): Conversation {
  const messages = [
    { role: 'user', content: alpacaPrompt(instruction, input) },
    { role: 'assistant', content: output },
  ] as const;
  return { id, messages, language, category, provenance: { source: 'seed', file, row } };
}

type Task = Omit<Seed, 'classification'>;

function readTasks<T>(files: readonly string[], finish: (members: Members, task: Task, report: Report) => T): T[] {
  const places = new Map<string, string>();
  return files.flatMap((file) => {
    const { rows, issues: broken } = readRows(file);
    const issues: DataIssue[] = [...broken];
    const tasks = rows.flatMap(({ row, value }) => {
      const report: Report = (path, message) => {
        issues.push({ row, path, message });
      };
      if (!isObject(value)) {
        issues.push({ row, message: `expected an object, got ${kindOf(value)}` });
        return [];
      }
      const task = readTask(value, file, row, report);
      const place = places.get(task.id);
      if (place === undefined) places.set(task.id, `${file}:${row}`);
      else report('id', `${JSON.stringify(task.id)} is the id of ${place} already`);
      return [finish(value, task, report)];
    });
    if (issues.length > 0) throw new DataError(file, issues);
    return tasks;
  });
}

function readTask(members: Members, file: string, row: number, report: Report): Task {
  const text = (name: string): string => {
    const value = requiredString(members, name, report);
    if (typeof members[name] === 'string' && value.trim() === '') report(name, 'expected a text, got an empty one');
    return value;
  };
  const instruction = text('instruction');
  const input = requiredString(members, 'input', report);
  return {
    id: text('id'),
    language: guessLanguage(alpacaPrompt(instruction, input)),
    category: text('category'),
    instruction,
    input,
    output: text('output'),
    file,
    row,
  };
}
