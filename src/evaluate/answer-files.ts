/**
 * A model's answers to questions, in the forms that test sets have them: Vicuna's (`question_id, text`), FastChat's
 * (`question_id, choices[0].turns`), AlpacaEval's (`instruction, output`), ours (`id, output`), messages, plain strings.
 * They are matched to the questions by id where every row has one, else by the question's text where every row has that,
 * else by order. Answers to other questions are left out.
 */
import { DataError, type DataIssue } from '../base/errors.ts';
import { isMessage } from '../base/message.ts';
import { isObject, kindOf, readRows } from '../base/rows.ts';
import { alpacaPrompt } from '../data/formats.ts';
import { answerFields } from './answer-pairs.ts';
import { type JudgedQuestion, readId } from './question-files.ts';

/** A turn that a model did not answer. */
export interface MissingAnswer {
  readonly question: string;
  /** From 1. */
  readonly turn: number;
}

export interface MatchedAnswers {
  /** Question id → an answer to each of its turns; undefined where there is none. */
  readonly answers: ReadonlyMap<string, readonly (string | undefined)[]>;
  readonly missing: readonly MissingAnswer[];
  /** Rows that answer none of the questions. */
  readonly others: number;
}

interface AnswerRow {
  readonly row: number;
  readonly id: string | undefined;
  /** What was asked, where the row says it. */
  readonly prompt: string | undefined;
  /** In turn; null: the model gave none. */
  readonly texts: readonly (string | null)[];
}

type Members = Readonly<Record<string, unknown>>;

const hint =
  'known rows: {question_id, text}; {question_id, choices: [{turns}]}; {instruction, output}; {id, output}; {id, messages}; ' +
  'a JSON array of strings';

/** Throws ConfigError where the file cannot be opened, DataError with every broken row, or where rows cannot be matched. */
export function matchAnswerFile(file: string, questions: readonly JudgedQuestion[]): MatchedAnswers {
  const rows = readAnswerRows(file);
  const matched = matchRows(file, rows, questions);
  const answers = new Map<string, readonly (string | undefined)[]>();
  const missing: MissingAnswer[] = [];
  for (const { id, turns } of questions) {
    const row = matched.get(id);
    // Of a conversation that began before the question the last answers count.
    const texts = row?.texts.slice(-turns.length) ?? [];
    const own = turns.map((_, i) => texts[i] ?? undefined);
    answers.set(id, own);
    own.forEach((text, i) => {
      if (text === undefined) missing.push({ question: id, turn: i + 1 });
    });
  }
  return { answers, missing, others: rows.length - matched.size };
}

function matchRows(
  file: string,
  rows: readonly AnswerRow[],
  questions: readonly JudgedQuestion[],
): Map<string, AnswerRow> {
  if (rows.every(({ id }) => id !== undefined)) {
    const ids = new Set(questions.map(({ id }) => id));
    return indexed(file, rows, (row) => (ids.has(row.id as string) ? [row.id as string] : []));
  }
  if (rows.every(({ prompt }) => prompt !== undefined)) {
    const byPrompt = new Map<string, string[]>();
    for (const { id, turns } of questions) {
      const prompt = textKey(turns.at(-1) as string);
      byPrompt.set(prompt, [...(byPrompt.get(prompt) ?? []), id]);
    }
    return indexed(file, rows, (row) => byPrompt.get(textKey(row.prompt as string)) ?? []);
  }
  if (rows.length !== questions.length) {
    const message = `expected as many rows as there are questions, ${questions.length}, found ${rows.length}`;
    throw new DataError(file, { message }, { hint: 'give every row a question_id, or its instruction' });
  }
  return new Map(rows.map((row, i) => [questions[i]!.id, row]));
}

const textKey = (text: string): string => text.trim().replace(/\s+/g, ' ');

/** Each row under the first of its ids that no row before it has. */
function indexed(
  file: string,
  rows: readonly AnswerRow[],
  idsOf: (row: AnswerRow) => readonly string[],
): Map<string, AnswerRow> {
  const byId = new Map<string, AnswerRow>();
  const issues: DataIssue[] = [];
  for (const row of rows) {
    const ids = idsOf(row);
    const free = ids.find((id) => !byId.has(id));
    if (free !== undefined) byId.set(free, row);
    else if (ids[0] !== undefined) {
      const message = `question ${JSON.stringify(ids[0])} is answered in row ${byId.get(ids[0])?.row} already`;
      issues.push({ row: row.row, message });
    }
  }
  if (issues.length > 0) throw new DataError(file, issues, { hint: 'one answer to a question: take the others out' });
  return byId;
}

function readAnswerRows(file: string): AnswerRow[] {
  const { rows, issues: broken } = readRows(file, hint);
  const issues: DataIssue[] = [...broken];
  const read = rows.map(({ row, value }): AnswerRow => {
    const report = (path: string, message: string) => void issues.push({ row, ...(path !== '' && { path }), message });
    if (typeof value === 'string') return { row, id: undefined, prompt: undefined, texts: [value] };
    if (!isObject(value)) {
      report('', `expected an object, got ${kindOf(value)}`);
      return { row, id: undefined, prompt: undefined, texts: [] };
    }
    return { row, id: readId(value, report), prompt: promptOf(value), texts: readTexts(value, report) };
  });
  if (issues.length > 0) throw new DataError(file, issues, { hint });
  return read;
}

function promptOf({ instruction, input, prompt, question, messages }: Members): string | undefined {
  if (typeof instruction === 'string') return alpacaPrompt(instruction, typeof input === 'string' ? input : '');
  if (Array.isArray(messages)) return messages.filter(isMessage).findLast(({ role }) => role === 'user')?.content;
  return [prompt, question].find((text): text is string => typeof text === 'string');
}

function readTexts(members: Members, report: (path: string, message: string) => void): (string | null)[] {
  const { choices, messages } = members;
  if (choices !== undefined) {
    const first: unknown = Array.isArray(choices) ? choices[0] : undefined;
    const turns = isObject(first) ? first['turns'] : undefined;
    if (Array.isArray(turns) && turns.every((turn) => typeof turn === 'string')) return turns;
    report('choices', 'expected a list whose first has "turns", a list of texts');
    return [];
  }
  if (messages !== undefined) {
    const turns = Array.isArray(messages) && messages.every(isMessage) ? messages : [];
    if (turns.at(-1)?.role !== 'assistant') report('messages', 'expected turns that end with the assistant’s');
    return turns.filter(({ role }) => role === 'assistant').map(({ content }) => content);
  }
  const field = answerFields.find((name) => Object.hasOwn(members, name));
  const text = field === undefined ? undefined : members[field];
  if (typeof text === 'string' || text === null) return [text];
  const found = Object.keys(members).slice(0, 8).join(', ') || 'an empty object';
  if (field === undefined)
    report('', `expected one of ${answerFields.join(', ')}, choices or messages, found ${found}`);
  else report(field, `expected a string, got ${kindOf(text)}`);
  return [];
}
