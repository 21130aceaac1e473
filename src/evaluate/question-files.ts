/**
 * Questions that a judge sees answered, in the forms that test sets have: Vicuna's and MT-bench's (`turns`, or `text`), AlpacaEval's
 * (`instruction`), Self-Instruct's user-oriented set (`instances`), ours, and messages. A row may be in any of them.
 * Reference answers are taken where the form has some; AlpacaEval's `output` is a model's answer, and is none.
 */
import { DataError, type DataIssue } from '../base/errors.ts';
import { isMessage, type Message } from '../base/message.ts';
import { isObject, kindOf, readRows } from '../base/rows.ts';
import { alpacaPrompt } from '../data/formats.ts';

export interface JudgedQuestion {
  /** The row's own (`question_id` or `id`), or its place in the file from 0. Unique in the file. */
  readonly id: string;
  /** As the file calls it; `none` where it says nothing. */
  readonly category: string;
  /** ISO 639-1: the row's own, or a guess. */
  readonly language: string;
  /** What was said before the first turn that is to be answered. */
  readonly context: readonly Message[];
  /** The user's turns that are answered, at least one. */
  readonly turns: readonly string[];
  /** Of each turn a reference answer; undefined where there is none. */
  readonly references: readonly (string | undefined)[];
}

type Members = Readonly<Record<string, unknown>>;
type Report = (path: string, message: string) => void;
type Asked = Pick<JudgedQuestion, 'context' | 'turns' | 'references'>;

const hint =
  'known rows: {question_id, category, turns, reference?}; {question_id, text}; {instruction, input?, output?}; ' +
  '{instruction, instances}; {messages} that end with the user; {prompt} or {question}';

/** Throws ConfigError where the file cannot be opened, DataError with every broken row. */
export function readJudgedQuestions(file: string): JudgedQuestion[] {
  const { rows, issues: broken } = readRows(file, hint);
  const issues: DataIssue[] = [...broken];
  const places = new Map<string, number>();
  const questions = rows.flatMap(({ row, value }, index): JudgedQuestion[] => {
    const before = issues.length;
    const report: Report = (path, message) => issues.push({ row, ...(path !== '' && { path }), message });
    if (!isObject(value)) {
      report('', `expected an object, got ${kindOf(value)}`);
      return [];
    }
    const asked = readAsked(value, report);
    const id = readId(value, report) ?? String(index);
    const first = places.get(id);
    if (first === undefined) places.set(id, row);
    else report('', `question ${JSON.stringify(id)} stands in row ${first} already`);
    if (!asked || issues.length > before) return [];
    const language = ownText(value, 'language') ?? languageOf(asked.turns.join('\n'));
    return [{ id, category: ownText(value, 'category', 'dataset') ?? 'none', language, ...asked }];
  });
  if (issues.length > 0) throw new DataError(file, issues, { hint });
  return questions;
}

/** A guess: an English question that quotes a Chinese word stays English. */
function languageOf(text: string): string {
  const count = (pattern: RegExp): number => text.match(pattern)?.length ?? 0;
  const han = count(/\p{Script=Han}/gu);
  return han > 0 && han >= count(/\p{Script=Latin}+/gu) ? 'zh' : 'en';
}

/** A question's or an answer's id, as text: 1 and "1" are the same. undefined where the row has none. */
export function readId(members: Members, report: Report): string | undefined {
  for (const name of ['question_id', 'id']) {
    const value = members[name];
    if (value === undefined || value === null) continue;
    if (typeof value === 'string' || Number.isSafeInteger(value)) return String(value);
    report(name, `expected a string or a whole number, got ${typeof value === 'number' ? value : kindOf(value)}`);
  }
  return undefined;
}

/** The first of the members that holds a text. */
function ownText(members: Members, ...names: readonly string[]): string | undefined {
  const found = names.map((name) => members[name]).find((value) => typeof value === 'string' && value.trim() !== '');
  return found as string | undefined;
}

/** undefined where something was reported. */
function readAsked(members: Members, report: Report): Asked | undefined {
  if (members['turns'] !== undefined) return readTurns(members, report);
  if (members['messages'] !== undefined) return readMessages(members['messages'], report);
  if (members['instances'] !== undefined) return readInstances(members, report);
  const one = (prompt: string, reference: string | undefined): Asked | undefined => {
    if (prompt.trim() === '') report('', 'expected a question, found an empty text');
    return prompt.trim() === '' ? undefined : { context: [], turns: [prompt], references: [reference] };
  };
  const { instruction, input } = members;
  if (typeof instruction === 'string') {
    if (input !== undefined && input !== null && typeof input !== 'string')
      report('input', `expected a string, got ${kindOf(input)}`);
    const prompt = alpacaPrompt(instruction, typeof input === 'string' ? input : '');
    return one(prompt, members['generator'] === undefined ? ownText(members, 'output', 'reference') : undefined);
  }
  const prompt = ['text', 'prompt', 'question'].map((name) => members[name]).find((value) => typeof value === 'string');
  if (typeof prompt === 'string') return one(prompt, ownText(members, 'reference'));
  report('', `expected a question, found only ${Object.keys(members).slice(0, 8).join(', ') || 'an empty object'}`);
  return undefined;
}

function readTurns({ turns, reference }: Members, report: Report): Asked | undefined {
  const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';
  if (!Array.isArray(turns) || turns.length === 0 || !turns.every(isText)) {
    report('turns', 'expected a list of texts, none of them empty');
    return undefined;
  }
  const given: readonly unknown[] = Array.isArray(reference) ? reference : [reference];
  const isAbsent = (value: unknown): boolean => value === undefined || value === null || value === '';
  if (given.length > turns.length || !given.every((one) => isAbsent(one) || isText(one))) {
    report('reference', `expected a text for each of ${turns.length} turns, or null`);
    return undefined;
  }
  return { context: [], turns, references: turns.map((_, i) => (isText(given[i]) ? given[i] : undefined)) };
}

/** The last turn of the user is the one that is answered; an answer behind it is the reference. */
function readMessages(messages: unknown, report: Report): Asked | undefined {
  if (!Array.isArray(messages) || !messages.every(isMessage)) {
    report('messages', 'expected {role: system | user | assistant, content: text}');
    return undefined;
  }
  const last = messages.findLastIndex(({ role }) => role === 'user');
  const question = messages[last];
  if (!question || question.content.trim() === '' || messages.length > last + 2) {
    report('messages', 'expected the last turn, or the last but an answer, to be a text of the user');
    return undefined;
  }
  return { context: messages.slice(0, last), turns: [question.content], references: [messages[last + 1]?.content] };
}

function readInstances({ instruction, instances }: Members, report: Report): Asked | undefined {
  const [instance, ...others]: readonly unknown[] = Array.isArray(instances) ? instances : [];
  if (typeof instruction !== 'string' || !isObject(instance) || others.length > 0) {
    report('instances', 'expected an instruction with one instance {input, output}');
    return undefined;
  }
  const prompt = alpacaPrompt(instruction, ownText(instance, 'input'));
  return { context: [], turns: [prompt], references: [ownText(instance, 'output')] };
}
