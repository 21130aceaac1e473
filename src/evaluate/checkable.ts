/**
 * Questions whose answers a program can check: short ones that are right or wrong (numbers, words), and options of which
 * one is right. Read, asked, and marked here; a model's log-probabilities and answers come from elsewhere.
 *
 * Two readings of a short answer: `exact`, the whole of it is an accepted answer once case, punctuation and the form of
 * numbers are put aside; `contained`, an accepted answer stands in it somewhere. The first asks for obedience too, the
 * second can be had by listing. Two readings of options: the likeliest whole turn (Σ log p), and the likeliest per byte,
 * which does not favour short ones. Neither needs the model to know what A, B, C and D are for.
 */
import { DataError, type DataIssue, WorkError } from '../base/errors.ts';
import type { Message } from '../base/message.ts';
import { isObject, kindOf, readRows } from '../base/rows.ts';
import { hasCjk } from '../text/words.ts';
import type { ScoredAnswer } from './scorer.ts';

interface CheckableQuestion {
  readonly id: string;
  /** ISO 639-1. */
  readonly language: string;
  readonly category: string;
  readonly question: string;
}

export interface ExactQuestion extends CheckableQuestion {
  /** Any of them is right. */
  readonly answers: readonly string[];
}

export interface ChoiceQuestion extends CheckableQuestion {
  readonly options: readonly string[];
  /** Of `options`, from 0. */
  readonly right: number;
}

export interface CheckableSet {
  readonly exact: readonly ExactQuestion[];
  readonly choice: readonly ChoiceQuestion[];
}

const formHint =
  'a row is {"id", "language", "category", "question"} with "answers": […], or with "options": […] and "right": the place of the right one from 0';

/** Ids are unique over all files. Throws DataError with every issue of the first file that has one. */
export function readCheckable(files: readonly string[]): CheckableSet {
  const exact: ExactQuestion[] = [];
  const choice: ChoiceQuestion[] = [];
  const places = new Map<string, string>();
  for (const file of files) {
    const { rows, issues: broken } = readRows(file, formHint);
    const issues: DataIssue[] = [...broken];
    for (const { row, value } of rows) {
      const report = (path: string, message: string) => issues.push({ row, ...(path && { path }), message });
      const question = readQuestion(value, report);
      if (!question) continue;
      const place = places.get(question.id);
      if (place === undefined) places.set(question.id, `${file}:${row}`);
      else report('id', `${JSON.stringify(question.id)} is the id of ${place} already`);
      if ('answers' in question) exact.push(question);
      else choice.push(question);
    }
    if (issues.length > 0) throw new DataError(file, issues, { hint: formHint });
  }
  return { exact, choice };
}

type Report = (path: string, message: string) => void;

/** undefined where something was reported. */
function readQuestion(value: unknown, report: Report): ExactQuestion | ChoiceQuestion | undefined {
  if (!isObject(value)) {
    report('', `expected an object, got ${kindOf(value)}`);
    return undefined;
  }
  let isSound = true;
  const refuse: Report = (path, message) => {
    isSound = false;
    report(path, message);
  };
  const text = (name: string): string => {
    const found = value[name];
    if (typeof found === 'string' && found.trim() !== '') return found;
    refuse(name, `expected a text, got ${found === '' ? 'an empty one' : kindOf(found)}`);
    return '';
  };
  const texts = (name: string, least: number): string[] => {
    const found: readonly unknown[] = Array.isArray(value[name]) ? value[name] : [];
    const isWanted = found.length >= least && found.every((one) => typeof one === 'string' && one.trim() !== '');
    if (!isWanted) refuse(name, `expected ${least === 1 ? 'a list of texts' : `${least} texts or more`}`);
    else if (new Set(found.map((one) => normalized(one as string))).size < found.length && name === 'options')
      refuse(name, 'expected options that differ');
    return found as string[];
  };
  const question = {
    id: text('id'),
    language: text('language'),
    category: text('category'),
    question: text('question'),
  };
  const hasAnswers = Object.hasOwn(value, 'answers');
  if (hasAnswers === Object.hasOwn(value, 'options')) {
    refuse('', `expected "answers" or "options", got ${hasAnswers ? 'both' : 'neither'}`);
    return undefined;
  }
  if (hasAnswers) {
    const answers = texts('answers', 1);
    return isSound ? { ...question, answers } : undefined;
  }
  const options = texts('options', 2);
  const { right } = value;
  const isPlace = Number.isInteger(right) && (right as number) >= 0 && (right as number) < options.length;
  if (!isPlace)
    refuse('right', `expected a whole number from 0 to ${options.length - 1}, got ${JSON.stringify(right)}`);
  return isSound ? { ...question, options, right: right as number } : undefined;
}

interface Wording {
  readonly demand: string;
  /** Shown as turns before the question, none of them in the sets: small models keep to a form that they have seen. */
  readonly shown: readonly (readonly [question: string, answer: string])[];
}

const wordings = {
  en: {
    demand: 'Write the answer alone, without an explanation.',
    shown: [
      ['How many days does a week have?', '7'],
      ['What is the opposite of "hot"?', 'cold'],
      ['What colour is fresh snow?', 'white'],
    ],
  },
  zh: {
    demand: '只写答案，不要解释。',
    shown: [
      ['一个星期有几天？', '7'],
      ['“热”的反义词是哪个字？', '冷'],
      ['刚下的雪是什么颜色？', '白色'],
    ],
  },
} satisfies Record<string, Wording>;

/** The turns up to where the answer begins; English for languages without a wording. */
export function checkablePrompt({ question, language }: Pick<CheckableQuestion, 'question' | 'language'>): Message[] {
  const { demand, shown }: Wording = language === 'zh' ? wordings.zh : wordings.en;
  const ask = (text: string): Message => ({ role: 'user', content: `${text}\n${demand}` });
  const examples = shown.flatMap(([asked, content]): Message[] => [ask(asked), { role: 'assistant', content }]);
  return [...examples, ask(question)];
}

/** One conversation an option, in order: what a scorer takes. */
export const optionConversations = (question: ChoiceQuestion): Message[][] =>
  question.options.map((content) => [...checkablePrompt(question), { role: 'assistant', content }]);

export interface MarkedAnswer {
  readonly answer: string;
  readonly exact: boolean;
  readonly contained: boolean;
}

export function markAnswer(answer: string, { answers }: Pick<ExactQuestion, 'answers'>): MarkedAnswer {
  const whole = normalized(answer);
  return {
    answer,
    exact: answers.some((one) => normalized(one) === whole),
    contained: answers.some((one) => standsIn(plain(answer), normalized(one))),
  };
}

/** Put aside: width, case, white space, and commas that group digits. */
const plain = (text: string): string =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/(?<=\d),(?=\d{3}(?!\d))/g, '')
    .replace(/\s+/gu, ' ')
    .replace(/(?<=\d) (?=[°%])/g, '')
    .trim();

const number = /^[-+\u2212]?\d+(?:\.\d+)?$/;

/** What is left of an answer to compare: no marks around it, no article before it, numbers in one form. */
function normalized(text: string): string {
  const bare = plain(text)
    .replace(/^[\s"'“”‘’«»「」『』*_`([{]+|[\s"'“”‘’«»「」『』*_`)\]}.!?,;:。！？，；：]+$/gu, '')
    .replace(/^(?:the|an?) (?=.)/, '');
  if (number.test(bare)) return String(Number(bare.replace('\u2212', '-')));
  return hasCjk(bare) ? bare.replaceAll(' ', '') : bare;
}

/** As a whole word or number: "3" does not stand in "13" nor in "3.5". Chinese has no spaces to tell words by. */
function standsIn(text: string, answer: string): boolean {
  if (hasCjk(answer)) return text.replaceAll(' ', '').includes(answer);
  if (number.test(answer)) {
    const numbers = text.match(/(?<![\d.])[-\u2212]?\d+(?:\.\d+)?/g) ?? [];
    return numbers.some((found) => Number(found.replace('\u2212', '-')) === Number(answer));
  }
  const escaped = answer.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
  return new RegExp(`(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`, 'u').test(text);
}

export interface MarkedChoice {
  /** Options from 0: the likeliest, and the likeliest per byte; the first of equal ones. */
  readonly chosen: number;
  readonly chosenPerByte: number;
  readonly right: boolean;
  readonly rightPerByte: boolean;
  /** Σ log p of each option's turn, in nats. */
  readonly logprobs: readonly number[];
}

/** `scores`: of `optionConversations`, in order. Throws WorkError where a log-probability is not finite. */
export function markChoice(scores: readonly ScoredAnswer[], { id, options, right }: ChoiceQuestion): MarkedChoice {
  const logprobs = scores.map(({ sum }) => sum);
  if (!logprobs.every(Number.isFinite)) {
    throw new WorkError(`expected finite log-probabilities for ${id}, got ${logprobs.join(', ')}`, {
      hint: 'the model that scored is broken: look whether its loss stayed finite in training',
    });
  }
  const chosen = largestAt(logprobs);
  const chosenPerByte = largestAt(logprobs.map((sum, i) => sum / Buffer.byteLength(options[i]!)));
  return { chosen, chosenPerByte, right: chosen === right, rightPerByte: chosenPerByte === right, logprobs };
}

const largestAt = (values: readonly number[]): number =>
  values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
