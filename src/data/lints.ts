/**
 * What is plainly wrong with an answer, or with a task that text alone cannot do: named rules over one conversation, each
 * with the words that gave it away. They err both ways (test/data/lints/labelled.test.ts measures how far); whether an
 * answer is right or good is no question here. The rules themselves stand in lints/, one file each.
 */
import type { Message } from '../base/message.ts';
import { characters, isCjk } from '../text/words.ts';
import { findCut } from './lints/cut.ts';
import { isEcho } from './lints/echo.ts';
import { asksForOtherLanguage, countLetters } from './lints/language.ts';
import { asksForMoreThanText } from './lints/not-text.ts';
import { refusesAtOnce } from './lints/refusal.ts';
import { findRepetition } from './lints/repetition.ts';
import { lostMark, type Marks } from './lints/translation.ts';
import { findUntranslated } from './lints/untranslated.ts';
import type { ConversationTurn } from './records.ts';

/** What a rule looks at: an answer with the task before it. */
interface Answer {
  readonly instruction: string;
  readonly answer: string;
  readonly context: LintContext;
}

export interface LintContext {
  /** ISO 639-1, where the row says it. */
  readonly language?: string | undefined;
  /** Why the last answer ended, where the row says it. */
  readonly finishReason?: string | undefined;
  /** Of the task that this one was translated from. */
  readonly source?: Marks | undefined;
  /** ISO 639-1, where the text says it clearly. Only for the rule on languages. */
  readonly languageOf?: ((text: string) => string | undefined) | undefined;
}

export interface Finding {
  readonly rule: LintRule;
  /** Place of the turn in the conversation, from 0. */
  readonly turn: number;
  readonly detail: string;
}

/** Rules on an answer. They are asked in this order; an answer that is empty is nothing else besides. */
const answerRules = {
  empty: ({ answer }) => (answer.trim() === '' ? 'nothing is there' : undefined),
  echo: ({ instruction, answer }) => (isEcho(instruction, answer) ? 'the task again' : undefined),
  cut: ({ answer, context: { finishReason } }) =>
    finishReason === 'length' ? 'finish reason length' : findCut(answer),
  refusal: ({ instruction, answer }) => refusesAtOnce(instruction, answer),
  repetition: ({ answer }) => findRepetition(answer),
  untranslated: ({ instruction, answer }) => findUntranslated(instruction, answer),
  'wrong-language': wrongLanguage,
} satisfies Record<string, (answer: Answer) => string | undefined>;

/** Rules on a task. */
const taskRules = {
  'not-text': ({ content }) => asksForMoreThanText(content),
  'lost-in-translation': ({ content }, { source }) => {
    const lost = source && lostMark(source, content);
    return lost && `${lost.kind} ${JSON.stringify(lost.shown)} is missing`;
  },
} satisfies Record<string, (turn: Message, context: LintContext) => string | undefined>;

export type LintRule = keyof typeof answerRules | keyof typeof taskRules;
export const lintRules = [...Object.keys(answerRules), ...Object.keys(taskRules)] as readonly LintRule[];

/** Everything that the rules find. Turns that are not learned are context. */
export function lint(
  turns: readonly ConversationTurn[],
  context: LintContext,
  rules: readonly LintRule[] = lintRules,
): Finding[] {
  const last = turns.length - 1;
  const first = turns.findIndex(({ role }) => role === 'user');
  return turns.flatMap((turn, at) => {
    // The first task is the one that was translated.
    if (turn.role === 'user')
      return taskFindings(turn, at, at === first ? context : { ...context, source: undefined }, rules);
    if (turn.role !== 'assistant' || turn.weight === 0) return [];
    const instruction = turns[at - 1]?.role === 'user' ? (turns[at - 1]?.content ?? '') : '';
    // Only of the last answer is it known why it ended.
    const own = at === last ? context : { ...context, finishReason: undefined };
    return answerFindings({ instruction, answer: turn.content, context: own }, at, rules);
  });
}

function answerFindings(answer: Answer, turn: number, rules: readonly LintRule[]): Finding[] {
  const isEmpty = answerRules.empty(answer) !== undefined;
  const names = Object.keys(answerRules) as (keyof typeof answerRules)[];
  return names.flatMap((rule) => {
    if (!rules.includes(rule) || (isEmpty && rule !== 'empty')) return [];
    const detail = answerRules[rule](answer);
    return detail === undefined ? [] : [{ rule, turn, detail }];
  });
}

function taskFindings(turn: Message, at: number, context: LintContext, rules: readonly LintRule[]): Finding[] {
  const names = Object.keys(taskRules) as (keyof typeof taskRules)[];
  return names.flatMap((rule) => {
    if (!rules.includes(rule)) return [];
    const detail = taskRules[rule](turn, context);
    return detail === undefined ? [] : [{ rule, turn: at, detail }];
  });
}

/** An answer is in the language that the row says, or in that of the task, unless that asks for another. */
function wrongLanguage({ instruction, answer, context: { language, languageOf } }: Answer): string | undefined {
  if (!languageOf || asksForOtherLanguage(instruction)) return undefined;
  const tell = (text: string): string | undefined => {
    const prose = withoutNames(text);
    return isShort(prose) ? undefined : languageOf(prose);
  };
  const expected = language ?? tell(instruction);
  if (expected === undefined || (expected === 'zh' && isPartlyChinese(answer))) return undefined;
  const found = tell(answer);
  return found === undefined || found === expected ? undefined : `expected ${expected}, found ${found}`;
}

/** With many names and terms in it, it is English to a detector; what is wrong there, another rule says. */
function isPartlyChinese(text: string): boolean {
  const { han, kana } = countLetters(text);
  const words = text.match(/[A-Za-z]+/gu)?.length ?? 0;
  return kana === 0 && han >= 0.2 * (han + words);
}

/** A list of the cities of Mexico is Spanish to a detector, and “Susceptible.” is French. */
const withoutNames = (text: string): string => text.replaceAll(/(?<![\p{L}\p{N}])\p{Lu}[\p{L}\p{M}’'-]*/gu, ' ');
const leastLetters = { cjk: 12, other: 50 };

function isShort(text: string): boolean {
  const letters = characters(text).filter((character) => /\p{L}/u.test(character));
  return letters.filter(isCjk).length < leastLetters.cjk && letters.length < leastLetters.other;
}
