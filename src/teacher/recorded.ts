/**
 * A teacher that answers from a file and asks nobody: for tests, demonstrations, and data someone else has bought. Rows are
 * `{messages, answer}` or `{messages, output}` with the prompt's messages, or Alpaca's `{instruction, input?, output}`, whose
 * prompt is one user turn. A request is answered if its messages are exactly a row's; model, parameters and sample do not
 * matter.
 */
import { basename } from 'node:path';
import { DataError, type DataIssue, TeacherError } from '../base/errors.ts';
import { sha256 } from '../base/hash.ts';
import { isMessage, type Message } from '../base/message.ts';
import { readRows } from '../base/rows.ts';
import type { Teacher, TeacherAnswer, TeacherRequest } from './teacher.ts';

interface Recording {
  readonly file: string;
  readonly row: number;
  readonly answer: string;
}

/** How much of a prompt an error quotes. */
const quotedCharacters = 120;

/** Reads the files whole; throws DataError with every row that is none, and with every prompt that has two answers. */
export function openRecorded(...files: readonly string[]): Teacher {
  const answers = new Map<string, Recording>();
  for (const file of files) readRecordings(file, answers);
  const names = files.map((file) => basename(file)).join('+');
  // The answers are part of the name, and with it of every request: an edited file is asked anew.
  const content = sha256([...answers].map(([key, { answer }]) => [key, answer])).slice(0, 12);
  const answer = ({ messages }: TeacherRequest): TeacherAnswer | TeacherError => {
    const recording = answers.get(promptKey(messages));
    if (recording === undefined) return notRecorded(files.join(', '), messages);
    const { answer: text, file, row } = recording;
    return { text, finishReason: 'stop', usage: undefined, raw: { file, row } };
  };
  return {
    name: `recorded:${names}`,
    model: `recorded:${content}`,
    paid: false,
    price: undefined,
    batchSize: 64,
    concurrency: 1,
    probe: async () => {},
    ask: async (requests) => requests.map(answer),
    close: async () => {},
  };
}

export const isRecorded = ({ model }: Pick<Teacher, 'model'>): boolean => model.startsWith('recorded:');

/** Adds the file's rows to `recordings`. */
function readRecordings(file: string, recordings: Map<string, Recording>): void {
  const { rows, issues: broken } = readRows(file);
  const issues: DataIssue[] = [...broken];
  for (const { row, value } of rows) {
    const found = readRecording(value);
    if (typeof found === 'string') {
      issues.push({ row, message: found });
      continue;
    }
    const key = promptKey(found.messages);
    const first = recordings.get(key);
    if (first === undefined) recordings.set(key, { file, row, answer: found.answer });
    else if (first.answer !== found.answer)
      issues.push({
        row,
        message: `the same prompt as ${first.file === file ? '' : `${first.file} `}row ${first.row}, with another answer`,
      });
  }
  if (issues.length > 0) throw new DataError(file, issues);
}

const promptKey = (messages: readonly Message[]): string =>
  sha256(messages.map(({ role, content }) => ({ role, content })));

/** The prompt and its answer, or what is wrong with the row. */
function readRecording(value: unknown): { messages: Message[]; answer: string } | string {
  if (value === null || typeof value !== 'object') return `expected an object, got ${JSON.stringify(value)}`;
  const { messages, answer, instruction, input, output } = value as Record<string, unknown>;
  const text = messages === undefined ? output : (answer ?? output);
  if (typeof text !== 'string') return `expected a string ${messages === undefined ? 'output' : 'answer or output'}`;
  if (messages !== undefined) {
    if (!Array.isArray(messages) || messages.length === 0 || !messages.every(isMessage))
      return 'messages: expected a list of {role, content} with role system, user or assistant';
    return { messages, answer: text };
  }
  if (typeof instruction !== 'string') return 'expected messages or an instruction';
  if (input !== undefined && input !== null && typeof input !== 'string') return 'input: expected a string';
  const content = input ? `${instruction}\n\n${input}` : instruction;
  return { messages: [{ role: 'user', content }], answer: text };
}

function notRecorded(file: string, messages: readonly Message[]): TeacherError {
  const prompt = messages.at(-1)?.content ?? '';
  const start = prompt.length > quotedCharacters ? `${prompt.slice(0, quotedCharacters)}…` : prompt;
  return new TeacherError(`${file} has no answer to ${JSON.stringify(start)}`, {
    hint: 'record an answer to exactly these messages, or ask another teacher',
  });
}
