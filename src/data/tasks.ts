/**
 * Tasks for a teacher to answer, out of rows of any known form and in any number: what a user asked, without what anybody
 * answered. Alpaca's rows keep their input apart; of a conversation it is the first turn of the user.
 */
import { DataError, type DataIssue } from '../base/errors.ts';
import { isObject, kindOf } from '../base/rows.ts';
import { instructionText } from './record-text.ts';
import { isBroken, streamRows } from './row-stream.ts';

export interface Task {
  /** The row's own, or `FILE:ROW`. */
  readonly id: string;
  readonly instruction: string;
  /** '' where the instruction needs none. */
  readonly input: string;
  /** As the row says; where it does not, nothing is guessed. */
  readonly language?: string;
  readonly category?: string;
  readonly file: string;
  readonly row: number;
}

/** Throws DataError at the end of the first file with rows that hold no task: all of that file's are named. */
export async function* streamTasks(files: readonly string[]): AsyncGenerator<Task> {
  for (const file of files) {
    const issues: DataIssue[] = [];
    for await (const line of streamRows(file)) {
      if (isBroken(line)) issues.push(line);
      else {
        const task = taskOf(line.value, file, line.row);
        if (typeof task === 'string') issues.push({ row: line.row, message: task });
        else yield task;
      }
    }
    if (issues.length > 0) throw new DataError(file, issues, { hint: 'mend these rows or delete them' });
  }
}

export async function countTasks(files: readonly string[]): Promise<number> {
  let count = 0;
  for await (const _ of streamTasks(files)) count += 1;
  return count;
}

/** What is wrong with the row, where it holds none. */
function taskOf(value: unknown, file: string, row: number): Task | string {
  if (!isObject(value)) return `expected an object, got ${kindOf(value)}`;
  const instruction = instructionText(value);
  if (!instruction?.trim()) return 'expected an instruction, or a first turn of the user';
  const { id, input, language, category } = value;
  if (input !== undefined && input !== null && typeof input !== 'string') return 'input: expected a string';
  const name = typeof id === 'string' || typeof id === 'number' ? `${id}` : `${file}:${row}`;
  const known = {
    ...(typeof language === 'string' ? { language } : {}),
    ...(typeof category === 'string' ? { category } : {}),
  };
  return { id: name, instruction, input: input ?? '', ...known, file, row };
}
