/**
 * The prompts of comparison data, held against the answers that are recorded before anything is asked. A row is a prompt in any
 * form the field has them (text, instruction and input, messages), or a comparison (TRL's, GPT-4-LLM's, ours), whose answers
 * are compared with the others. Rows stream.
 */
import { existsSync, realpathSync } from 'node:fs';
import { ConfigError, DataError, throwIfAborted } from '../src/base/errors.ts';
import { isMessage, type Message } from '../src/base/message.ts';
import { isObject, kindOf } from '../src/base/rows.ts';
import { shapeOf } from '../src/data/formats/shapes.ts';
import { alpacaPrompt } from '../src/data/formats.ts';
import { guessLanguage } from '../src/data/guess-language.ts';
import { isBroken, streamRows } from '../src/data/row-stream.ts';
import { UniqueIds } from '../src/data/unique-ids.ts';
import { type MatchedPrompt, type RecordedFile, readRecorded } from './feedback-recorded.ts';

export interface FeedbackFiles {
  readonly prompts: readonly string[];
  readonly answers: readonly { readonly name: string; readonly file: string }[];
  readonly out: string;
  readonly rejects: string;
}

export interface PromptRow extends MatchedPrompt {
  /** Unique in all files. */
  readonly id: string;
  readonly file: string;
  readonly row: number;
  readonly messages: readonly Message[];
  readonly language: string;
  readonly category?: string;
  /** Of a row that compares some already. */
  readonly answers: readonly { readonly text: string; readonly source: string }[];
}

export interface BrokenPrompt {
  readonly file: string;
  readonly row: number;
  readonly problem: string;
  readonly value: unknown;
}

export interface FeedbackSurvey {
  readonly prompts: number;
  readonly broken: number;
  readonly recorded: readonly RecordedFile[];
  /** Answers that stand in the files, by who wrote them: the most a prompt has. */
  readonly given: number;
}

/** Throws ConfigError or DataError where files cannot be read, do not fit together or would be written over. */
export async function survey(
  { prompts: files, answers, out, rejects }: FeedbackFiles,
  answerers: readonly { readonly name: string }[],
  signal: AbortSignal,
): Promise<FeedbackSurvey> {
  for (const target of [out, rejects]) {
    const read = [...files, ...answers.map(({ file }) => file)];
    if (existsSync(target) && read.some((file) => existsSync(file) && realpathSync(file) === realpathSync(target)))
      throw new ConfigError(`${target} is one of the files to read`, { hint: 'choose another name to write to' });
  }
  const names = [...answers, ...answerers].map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new ConfigError(`expected each name of a model once, got ${twice} again`);
  const recorded: RecordedFile[] = [];
  for (const { name, file } of answers) recorded.push(await readRecorded(name, file));

  const answered = recorded.map(() => 0);
  const keys = new Set<string>();
  let [prompts, broken, given] = [0, 0, 0];
  for await (const one of allPrompts(files, signal)) {
    if ('problem' in one) {
      broken += 1;
      continue;
    }
    prompts += 1;
    given = Math.max(given, one.answers.length);
    const ambiguous = keys.has(one.key) ? recorded.find(({ hasBareIds }) => hasBareIds) : undefined;
    if (ambiguous) {
      const message = `rows name prompts by id alone, and two prompts have the id ${JSON.stringify(one.key)}`;
      throw new DataError(ambiguous.file, { message }, { hint: 'give the prompts of each file other ids' });
    }
    keys.add(one.key);
    for (const [i, file] of recorded.entries()) if (file.answersTo(one).length > 0) answered[i]! += 1;
  }
  if (prompts === 0) throw new DataError(files[0] as string, { message: 'no row has a prompt' });
  for (const [i, { file, rows, isInOrder }] of recorded.entries()) {
    if (isInOrder && rows !== prompts) {
      const message = `expected as many answers as there are prompts, ${prompts}, found ${rows}`;
      throw new DataError(file, { message }, { hint: 'give every row an id, or its instruction' });
    }
    if (answered[i] === 0) throw new DataError(file, { message: 'no row answers any of the prompts' });
  }
  if (given === 0 && names.length === 0) {
    throw new ConfigError('nothing to compare: expected answers of two models, or several samples of one', {
      hint: 'give files of answers (--answers NAME=FILE), models that answer (--models NAME=MODEL), or a file of comparisons',
    });
  }
  return { prompts, broken, recorded, given };
}

export async function* allPrompts(
  files: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<PromptRow | BrokenPrompt> {
  const ids = new UniqueIds();
  let [all, place] = [0, 0];
  for (const file of files) {
    for await (const line of streamRows(file)) {
      throwIfAborted(signal);
      const at = { file, row: line.row };
      const index = all++;
      if (isBroken(line)) {
        yield { ...at, problem: line.message, value: undefined };
        continue;
      }
      const read = readPrompt(line.value);
      if (typeof read === 'string') {
        yield { ...at, problem: read, value: line.value };
        continue;
      }
      const asked = read.messages.at(-1)?.content as string;
      const { id, question_id, language, category } = isObject(line.value) ? line.value : {};
      const own = question_id ?? id;
      const key = typeof own === 'string' || Number.isSafeInteger(own) ? String(own) : String(index);
      yield {
        ...at,
        ...{ key, id: ids.take(key), place: place++, asked },
        ...read,
        language: typeof language === 'string' && language !== '' ? language : guessLanguage(asked),
        ...(typeof category === 'string' && category !== '' ? { category } : {}),
      };
    }
  }
}

export async function* soundPrompts(files: readonly string[], signal: AbortSignal): AsyncGenerator<PromptRow> {
  for await (const row of allPrompts(files, signal)) if (!('problem' in row)) yield row;
}

type ReadPrompt = Pick<PromptRow, 'messages' | 'answers'>;

/** Or what is wrong with the row. */
function readPrompt(value: unknown): ReadPrompt | string {
  if (typeof value === 'string') return single(value);
  if (!isObject(value)) return `expected an object or a text, got ${kindOf(value)}`;
  const shape = shapeOf(value);
  if (shape?.kind === 'preferences') {
    const problems: string[] = [];
    const { prompt, answers } = shape.read(value, (path, message) =>
      problems.push(path ? `${path}: ${message}` : message),
    );
    if (problems.length > 0) return problems.join('; ');
    return {
      messages: prompt.map(({ role, content }) => ({ role, content })),
      answers: answers.map(({ content, source, path }) => ({
        text: content,
        // Where the row does not say who wrote it, where it stands: `chosen`, `completion_a`, `output[0]`.
        source: source ?? path.replace(/\.\w+$|(?<=^chosen|^rejected)\[\d+\]$/, ''),
      })),
    };
  }
  const { messages, prompt, instruction, input, question, text, turns } = value;
  const list = Array.isArray(messages) ? messages : Array.isArray(prompt) ? prompt : undefined;
  if (list) return ofMessages(list);
  if (typeof instruction === 'string') return single(alpacaPrompt(instruction, typeof input === 'string' ? input : ''));
  if (Array.isArray(turns) && turns.length > 1) return 'turns: expected one; compare later turns as messages';
  const found = [prompt, question, Array.isArray(turns) ? turns[0] : text].find((one) => typeof one === 'string');
  if (found === undefined)
    return 'expected "prompt", "instruction" (and "input"), "messages" or "question", or answers that are compared';
  return single(found as string);
}

const single = (content: string): ReadPrompt | string =>
  content.trim() === '' ? 'the prompt is empty' : { messages: [{ role: 'user', content }], answers: [] };

/** To the last turn of the user: an answer behind it is none of those compared. */
function ofMessages(list: readonly unknown[]): ReadPrompt | string {
  if (!list.every(isMessage)) return 'messages: expected {role: system | user | assistant, content: text}';
  const last = list.findLastIndex(({ role }) => role === 'user');
  if (last < 0) return 'messages: expected a turn of the user, found none';
  const turns = list.slice(0, last + 1).map(({ role, content }) => ({ role, content }));
  return turns.some(({ content }) => content.trim() === '')
    ? 'messages: a turn is empty'
    : { messages: turns, answers: [] };
}
