/**
 * Answers that exist already, in the forms that test sets have them: ours (`id, output`), Vicuna's (`question_id, text`),
 * FastChat's (`question_id, choices`), AlpacaEval's and Alpaca's (`instruction, output`), messages, plain strings. Several
 * rows, or choices, for one prompt are several samples. A row is matched by its id, by what was asked, or where it says neither
 * by its place. The texts of a file are held in memory.
 */
import { DataError, type DataIssue } from '../src/base/errors.ts';
import { isMessage } from '../src/base/message.ts';
import { isObject, kindOf } from '../src/base/rows.ts';
import { alpacaPrompt } from '../src/data/formats.ts';
import { isBroken, streamRows } from '../src/data/row-stream.ts';
import { answerFields } from '../src/evaluate/answer-pairs.ts';

export interface RecordedAnswer {
  readonly text: string;
  /** It ended at its limit of tokens, as the row says. */
  readonly isCut: boolean;
}

/** A prompt as answers are matched to it. */
export interface MatchedPrompt {
  /** The row's own id, or its place among all rows from 0. */
  readonly key: string;
  /** Among all sound rows, from 0. */
  readonly place: number;
  /** The last turn of the user. */
  readonly asked: string;
}

export interface RecordedFile {
  readonly name: string;
  readonly file: string;
  readonly rows: number;
  /** Whether a row says what it answers by nothing but an id. */
  readonly hasBareIds: boolean;
  /** Whether rows are matched by their order. */
  readonly isInOrder: boolean;
  answersTo(prompt: MatchedPrompt): readonly RecordedAnswer[];
}

interface Row {
  readonly id: string | undefined;
  readonly asked: string | undefined;
  readonly answers: readonly RecordedAnswer[];
}

const hint =
  'known rows: {id, output}; {question_id, text}; {question_id, choices: [{turns}]}; {instruction, output}; {messages}; strings';

/** Throws ConfigError where the file cannot be opened, DataError with every broken row. */
export async function readRecorded(name: string, file: string): Promise<RecordedFile> {
  const issues: DataIssue[] = [];
  const rows: Row[] = [];
  for await (const line of streamRows(file)) {
    if (isBroken(line)) issues.push(line);
    else {
      const row = readRow(line.value);
      if (typeof row === 'string') issues.push({ row: line.row, message: row });
      else rows.push(row);
    }
  }
  const bare = rows.filter(({ id, asked }) => id === undefined && asked === undefined);
  if (issues.length === 0 && bare.length > 0 && bare.length < rows.length)
    issues.push({ message: `expected an id or what was asked in every row, or in none; ${bare.length} have neither` });
  if (issues.length > 0) throw new DataError(file, issues, { hint });
  const isInOrder = bare.length > 0;
  const byId = groupBy(rows, ({ id }) => id);
  const byAsked = groupBy(rows, ({ asked }) => asked);
  return {
    ...{ name, file, rows: rows.length, isInOrder },
    hasBareIds: rows.some(({ id, asked }) => id !== undefined && asked === undefined),
    answersTo({ key, place, asked }) {
      if (isInOrder) return rows[place]?.answers ?? [];
      const text = textKey(asked);
      // An id may be counted in another file: what was asked must be the same where the row says it.
      const named = byId.get(key)?.filter((row) => row.asked === undefined || row.asked === text) ?? [];
      return (named.length > 0 ? named : (byAsked.get(text) ?? [])).flatMap(({ answers }) => answers);
    },
  };
}

function groupBy(rows: readonly Row[], keyOf: (row: Row) => string | undefined): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = keyOf(row);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return groups;
}

const textKey = (text: string): string => text.trim().replace(/\s+/g, ' ');

/** Or what is wrong with it. */
function readRow(value: unknown): Row | string {
  if (typeof value === 'string') return { id: undefined, asked: undefined, answers: [{ text: value, isCut: false }] };
  if (!isObject(value)) return `expected an object or a text, got ${kindOf(value)}`;
  const given = value['question_id'] ?? value['id'] ?? undefined;
  if (given !== undefined && typeof given !== 'string' && !Number.isSafeInteger(given))
    return `id: expected a string or a whole number, got ${kindOf(given)}`;
  const texts = textsOf(value);
  if (typeof texts === 'string') return texts;
  const isCut = [value['finishReason'], value['finish_reason']].includes('length');
  const asked = askedOf(value);
  return {
    id: given === undefined ? undefined : String(given),
    asked: asked === undefined ? undefined : textKey(asked),
    answers: texts.map((text) => ({ text, isCut })),
  };
}

function askedOf({ instruction, input, prompt, question, messages }: Record<string, unknown>): string | undefined {
  if (typeof instruction === 'string') return alpacaPrompt(instruction, typeof input === 'string' ? input : '');
  const turns = Array.isArray(messages) ? messages : Array.isArray(prompt) ? prompt : undefined;
  if (turns) return turns.filter(isMessage).findLast(({ role }) => role === 'user')?.content;
  return [prompt, question].find((text): text is string => typeof text === 'string');
}

/** None where the model gave none (null). Or what is wrong. */
function textsOf(row: Record<string, unknown>): string[] | string {
  const { choices, messages } = row;
  if (choices !== undefined) {
    const turns = Array.isArray(choices) ? choices.map((one) => (isObject(one) ? one['turns'] : undefined)) : [];
    const last = turns.map((own) => (Array.isArray(own) ? own.at(-1) : undefined));
    const isSound = last.length > 0 && last.every((text) => typeof text === 'string');
    return isSound ? (last as string[]) : 'choices: expected a list of objects with "turns", a list of texts';
  }
  const field = [...answerFields, 'completion'].find((name) => Object.hasOwn(row, name));
  if (field === undefined && messages !== undefined) {
    const last: unknown = Array.isArray(messages) ? messages.at(-1) : undefined;
    return isMessage(last) && last.role === 'assistant'
      ? [last.content]
      : 'messages: expected turns that end with the assistant’s';
  }
  const text = field === undefined ? undefined : row[field];
  if (text === null) return [];
  if (typeof text === 'string') return [text];
  if (field !== undefined) return `${field}: expected a string, got ${kindOf(text)}`;
  return `expected one of ${answerFields.join(', ')}, choices or messages, found ${Object.keys(row).slice(0, 8).join(', ') || 'an empty object'}`;
}
