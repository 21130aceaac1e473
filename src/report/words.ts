/**
 * The report's two languages. Every sentence stands once, in a table from English to Chinese (phrases-*.ts): a sentence without a
 * Chinese form does not compile. Text out of data is never translated.
 */
import type { Interval } from '../base/intervals.ts';
import { count, duration, fixed, interval, languageName, share, signed } from './format.ts';
import { nouns } from './nouns.ts';
import { dataPhrases } from './phrases-data.ts';
import { evaluationPhrases } from './phrases-evaluation.ts';
import { loopPhrases } from './phrases-loop.ts';
import { runPhrases } from './phrases-run.ts';
import { toldPhrases } from './phrases-told.ts';
import { trainingPhrases } from './phrases-training.ts';

export const reportLanguages = ['en', 'zh'] as const;
export type ReportLanguage = (typeof reportLanguages)[number];

const phrases = { ...runPhrases, ...dataPhrases, ...evaluationPhrases, ...loopPhrases, ...trainingPhrases };
export type Phrase = keyof typeof phrases;
export type Noun = keyof typeof nouns;

export interface Words {
  readonly language: ReportLanguage;
  /** Places are `{name}`. */
  say(phrase: Phrase, values?: Readonly<Record<string, string | number>>): string;
  /** A sentence that came with results: translated where it is one of ours. */
  told(sentence: string): string;
  /** `3 questions`. */
  plural(value: number, noun: Noun): string;
  /** `3 of 40 (7.5 %)`. */
  share(part: number, whole: number): string;
  /** Both ends with their signs, as of differences. */
  interval(value: Interval, places: number): string;
  /** Both ends as they are. */
  range(value: { readonly low: number; readonly high: number }, places: number): string;
  languageName(code: string): string;
  duration(seconds: number): string;
  list(items: readonly string[]): string;
}

function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}

/** Sentences with places, longest first: of two that fit the one that says more. */
const patterns = Object.entries(toldPhrases)
  .sort(([a], [b]) => b.length - a.length)
  .map(([sentence, chinese]) => {
    const pieces = sentence.split(/\{(\w+)\}/).map((piece, i) => (i % 2 ? `(?<${piece}>.+)` : escaped(piece)));
    return { pattern: new RegExp(`^${pieces.join('')}$`, 's'), chinese };
  });

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

function toldInChinese(sentence: string): string {
  for (const { pattern, chinese } of patterns) {
    const found = pattern.exec(sentence);
    if (found) return fill(chinese, found.groups ?? {});
  }
  return sentence;
}

export const english: Words = {
  language: 'en',
  say: (phrase, values = {}) => fill(phrase, values),
  told: (sentence) => sentence,
  plural: (value, noun) => `${count(value)} ${value === 1 ? noun : nouns[noun][0]}`,
  share,
  interval,
  range: ({ low, high }, places) => `${fixed(low, places)} to ${fixed(high, places)}`,
  languageName,
  duration,
  list: (items) => items.join(', '),
};

const chineseLanguages: Readonly<Record<string, string>> = { en: '英文', zh: '中文', all: '全部' };

export const chinese: Words = {
  language: 'zh',
  say: (phrase, values = {}) => fill(phrases[phrase], values),
  told: (sentence) => (Object.hasOwn(phrases, sentence) ? phrases[sentence as Phrase] : toldInChinese(sentence)),
  plural: (value, noun) => nouns[noun][1].replace('{n}', count(value)),
  share: (part, whole) =>
    whole === 0 ? `${count(part)}/0` : `${count(part)}/${count(whole)}（${fixed((100 * part) / whole, 1)}%）`,
  interval: ({ low, high }, places) => `${signed(low, places)} 至 ${signed(high, places)}`,
  range: ({ low, high }, places) => `${fixed(low, places)} 至 ${fixed(high, places)}`,
  languageName: (code) => chineseLanguages[code] ?? languageName(code),
  duration: (seconds) =>
    duration(seconds)
      .replace(/ h\b/, ' 小时')
      .replace(/ min\b/, ' 分')
      .replace(/ s$/, ' 秒'),
  list: (items) => items.join('、'),
};

export const wordsOf = (language: ReportLanguage): Words => ({ en: english, zh: chinese })[language];
