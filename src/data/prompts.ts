/** Files of prompts to be answered: JSON Lines or a JSON array, in the shapes people have them. */
import { DataError, type DataIssue } from '../base/errors.ts';
import { isMessage, type Message } from '../base/message.ts';
import { readRows } from '../base/rows.ts';
import { alpacaPrompt } from './formats.ts';

export interface Prompt {
  /** The row's own, or its number. Unique in the file. */
  readonly id: string;
  readonly messages: readonly Message[];
  /** The row's own answer, where it has one. */
  readonly reference?: string;
}

const shapes = 'expected "prompt", or "instruction" (and "input"), or "messages" ending with the user, or "question"';

/** Throws DataError that names every broken row. */
export function readPrompts(file: string): Prompt[] {
  const { rows, issues: broken } = readRows(file);
  const issues: DataIssue[] = [...broken];
  const seen = new Map<string, number>();
  const prompts = rows.flatMap(({ row, value }, index) => {
    const messages = messagesOf(value);
    if (typeof messages === 'string') {
      issues.push({ row, message: messages });
      return [];
    }
    const { id: own, question_id: other } = value as { id?: unknown; question_id?: unknown };
    const given = own ?? other ?? index;
    if (typeof given !== 'string' && typeof given !== 'number') {
      issues.push({ row, path: 'id', message: 'expected a string or a number' });
    }
    const id = String(given);
    const first = seen.get(id);
    if (first !== undefined) issues.push({ row, path: 'id', message: `"${id}" is row ${first}'s already` });
    seen.set(id, row);
    const reference = referenceOf(value);
    return [{ id, messages, ...(reference !== undefined && { reference }) }];
  });
  if (issues.length > 0) throw new DataError(file, issues);
  return prompts;
}

const referenceOf = (value: unknown): string | undefined => {
  const { output, answer, reference } = value as Record<string, unknown>;
  return [output, answer, reference].find((field) => typeof field === 'string');
};

/** The conversation to be answered, or what is wrong with the row. */
function messagesOf(value: unknown): Message[] | string {
  if (typeof value === 'string' && value.trim() !== '') return [{ role: 'user', content: value }];
  if (value === null || typeof value !== 'object') return shapes;
  const { prompt, instruction, input, question, text, messages } = value as Record<string, unknown>;
  if (Array.isArray(messages)) return checkMessages(messages);
  const content =
    typeof instruction === 'string'
      ? alpacaPrompt(instruction, typeof input === 'string' ? input : '')
      : [prompt, question, text].find((field) => typeof field === 'string');
  if (typeof content !== 'string') return shapes;
  return content.trim() === '' ? 'the prompt is empty' : [{ role: 'user', content }];
}

function checkMessages(messages: readonly unknown[]): Message[] | string {
  if (!messages.every(isMessage)) return 'messages: expected {role: system | user | assistant, content: text}';
  return messages.at(-1)?.role === 'user' ? [...messages] : 'messages: expected the last turn to be the user’s';
}
