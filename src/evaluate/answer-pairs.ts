/** Files of answers and of references: read, and paired by id or by order. */
import { ConfigError, DataError, type DataIssue } from '../base/errors.ts';
import { isObject, kindOf, readRows } from '../base/rows.ts';

export interface AnswerPair {
  readonly reference: string;
  readonly candidate: string;
  /** Present where the pair was matched by it. */
  readonly id?: string | number;
}

export interface AnswerRow {
  readonly text: string;
  readonly id?: string | number;
  /** Line from 1 in JSONL, element from 0 in a JSON array. */
  readonly row: number;
}

/** Where an answer's text may stand; the first member that is there counts. */
export const answerFields = ['output', 'response', 'text', 'answer'] as const;

const formHint = `a file of answers is a JSON array of objects or JSON Lines, each row with its text as one string in ${list(answerFields)} and optionally an "id"; or a JSON array of strings`;

/**
 * Reads a JSON array of objects or of strings, or JSON Lines of objects. Throws a DataError with every broken row; a
 * file without rows is broken too.
 */
export function readAnswers(file: string): AnswerRow[] {
  const { rows, issues: broken } = readRows(file, formHint);
  const issues: DataIssue[] = [...broken];
  const strings = typeof rows[0]?.value === 'string' && rows[0].row === 0;
  const answers = rows.map(({ row, value }) => {
    const { text, id, problems } = strings ? readStringRow(value) : readObjectRow(value);
    issues.push(...problems.map((problem) => ({ row, ...problem })));
    return { text, row, ...(id === undefined ? {} : { id }) };
  });
  if (issues.length > 0) throw new DataError(file, issues, { hint: formHint });
  return answers;
}

interface RowReading {
  readonly text: string;
  readonly id?: string | number | undefined;
  readonly problems: readonly Omit<DataIssue, 'row'>[];
}

function readStringRow(value: unknown): RowReading {
  if (typeof value === 'string') return { text: value, problems: [] };
  return { text: '', problems: [{ message: `expected a string like the first element, got ${kindOf(value)}` }] };
}

function readObjectRow(value: unknown): RowReading {
  if (!isObject(value)) return { text: '', problems: [{ message: `expected an object, got ${kindOf(value)}` }] };
  const members = value;
  const problems: Omit<DataIssue, 'row'>[] = [];
  const field = answerFields.find((name) => Object.hasOwn(members, name));
  const text = field === undefined ? undefined : members[field];
  if (field === undefined) {
    const found = Object.keys(members);
    const named = found.length === 0 ? 'an empty object' : `only ${list(found.slice(0, 8))}`;
    problems.push({ message: `expected one of ${list(answerFields)}, found ${named}` });
  } else if (typeof text !== 'string') {
    problems.push({ path: field, message: `expected a string, got ${kindOf(text)}` });
  }
  const id = members['id'];
  const idProblem = id === undefined ? undefined : problemOfId(id);
  if (idProblem !== undefined) problems.push({ path: 'id', message: idProblem });
  return { text: typeof text === 'string' ? text : '', id: id as string | number | undefined, problems };
}

function problemOfId(id: unknown): string | undefined {
  if (typeof id === 'string') return undefined;
  if (typeof id !== 'number') return `expected a string or a number, got ${kindOf(id)}`;
  // Neighbouring whole numbers beyond 2^53 are read as one and the same: two rows would be taken for each other.
  const isExact = !Number.isInteger(id) || Number.isSafeInteger(id);
  return isExact ? undefined : `expected a number below 2^53, got ${id}; write it as a string`;
}

/**
 * Pairs answers with references, in the order of the references: by id where every row on both sides has one, else by
 * position. Ids are compared as text (1 and "1" are equal). Throws a ConfigError where anything is left over.
 */
export function pairAnswers(answers: readonly AnswerRow[], references: readonly AnswerRow[]): AnswerPair[] {
  if ([...answers, ...references].every(({ id }) => id !== undefined)) return pairById(answers, references);
  if (answers.length !== references.length) {
    throw new ConfigError(
      `expected as many answers as references, got ${answers.length} answers and ${references.length} references`,
      { hint: 'give every row on both sides an "id" to pair them by it' },
    );
  }
  return references.map(({ text }, i) => ({ reference: text, candidate: answers[i]!.text }));
}

function pairById(answers: readonly AnswerRow[], references: readonly AnswerRow[]): AnswerPair[] {
  const answerOf = indexById(answers, 'answers');
  const referenceOf = indexById(references, 'references');
  const unanswered = references.filter(({ id }) => !answerOf.has(String(id)));
  const extra = answers.filter(({ id }) => !referenceOf.has(String(id)));
  const problems = [
    ...(unanswered.length > 0
      ? [`${counted(unanswered.length, 'reference')} without an answer: ${ids(unanswered)}`]
      : []),
    ...(extra.length > 0 ? [`${counted(extra.length, 'answer')} without a reference: ${ids(extra)}`] : []),
  ];
  if (problems.length > 0) {
    throw new ConfigError(`expected the same ids in answers and references, got ${problems.join('; ')}`, {
      hint: 'every row has an "id", so rows are paired by it; take the ids out of one file to pair by order',
    });
  }
  return references.map(({ id, text }) => ({
    id: id!,
    reference: text,
    candidate: answerOf.get(String(id))!.text,
  }));
}

function indexById(rows: readonly AnswerRow[], side: string): Map<string, AnswerRow> {
  const byId = new Map<string, AnswerRow>();
  const duplicates: string[] = [];
  for (const row of rows) {
    const first = byId.get(String(row.id));
    if (first === undefined) byId.set(String(row.id), row);
    else duplicates.push(`${JSON.stringify(String(row.id))} (rows ${first.row} and ${row.row})`);
  }
  if (duplicates.length > 0) {
    throw new ConfigError(`expected each id once among the ${side}, got ${some(duplicates)} again`);
  }
  return byId;
}

const ids = (rows: readonly AnswerRow[]): string => some(rows.map(({ id }) => JSON.stringify(String(id))));

/** The first five, and how many there are besides. */
function some(items: readonly string[]): string {
  const rest = items.length - 5;
  return items.slice(0, 5).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

function list(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(', ');
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
