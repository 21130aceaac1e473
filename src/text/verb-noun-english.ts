/**
 * Root verb and noun object of an English instruction or answer, by rules on the tags of its words. What is looked for is
 * what a parse's root would say (Self-Instruct, Wang et al. 2022, figure 2: the verb closest to the root, and its first
 * direct noun object), with these departures:
 * 1. what only asks is passed over: "Please", "Can you", "I want you to", "Help me", "Your task is to";
 * 2. a sentence ends with its line, and one that only leads up is passed over: "You are a nurse.", "Task:", "Dear Sir,";
 * 3. "have" counts as a verb where it is the only one.
 * Taggers know little of commands: "Name three …" is a name to them. Where a sentence does not begin with a verb it is
 * tagged again behind "You must", and is a command if that gives a verb and no other verb follows what could be a subject.
 */
import type { VerbNoun } from './verb-noun.ts';
import { isBase, isClauseOpener, type Words, withObject } from './verb-noun-english-object.ts';
import { statement } from './verb-noun-english-statement.ts';
import { type EnglishWord, tagEnglish } from './verb-noun-tags.ts';

/** Characters of a text that are looked at: first sentences are shorter. */
const longest = 1000;

const list = (words: string): Set<string> => new Set(words.split(' '));

/** Words that ask for the verb behind them; `|` stands between alternatives. */
const frames = [
  'can|could|would|will you',
  "can|could|would|will n't you",
  'i want|need you to',
  "i 'd|would like|love you to",
  "i 'd|would appreciate it if you could|would",
  'help me|us to',
  'help me|us',
  "let 's|us",
  'your|the task|job|goal|role|assignment|aim|mission|objective is to',
  'your|the task|job|goal|role|assignment|aim|mission|objective will be to',
  'you must|should',
  'you need|have|are to',
  'you are|will asked|required|expected|tasked to',
  'i need|want to know|learn',
  "do n't|not",
  'never',
  'always',
].map((frame) => frame.split(' ').map((word) => word.split('|')));

const polite = list('please kindly hi hello hey okay ok sure sorry thanks yes no well');
/** "Task: …", "Question 1: …". */
const labels = list('task question instruction prompt problem exercise challenge step note example');
/** With these a clause or phrase begins that comes before the main one; so it does with prepositions and gerunds. */
const openers = list('given using based considering assuming when whenever once while to following');
/** Sentences begin with these and no verb is meant. */
const notVerbs = list('today yesterday tomorrow both such all half most many some people');

/** Undefined where the first sentence has no verb but to be. */
export function englishVerbNoun(text: string): VerbNoun | undefined {
  for (const line of text.slice(0, longest).split(/\n+/)) {
    for (const sentence of tagEnglish(line)) {
      const found = ofSentence(sentence);
      if (found || !isPrelude(sentence)) return found;
    }
  }
  return undefined;
}

/** "You are a nurse.", "Task:", "Dear Sir,", "1.", and marks alone. */
function isPrelude(words: Words): boolean {
  const said = words.filter(({ pos }) => !/^(PUNCT|SPACE|SYM|NUM)$/.test(pos));
  const isShort = said.length <= 3 && /^[:,]$/.test(words.at(-1)?.text ?? '');
  return said.length === 0 || said[0]!.normal === 'you' || said[0]!.normal === 'dear' || isShort;
}

function ofSentence(words: Words): VerbNoun | undefined {
  const { at, isAsked } = skipOpening(words, 0);
  if (at >= words.length || words[at]!.normal === 'dear') return undefined;
  const start = isAsked ? at : mainClause(words, at);
  const opening = skipOpening(words, start);
  return command(words, opening.at, isAsked || opening.isAsked) ?? statement(words, start);
}

/** Past what comes before a clause: marks, "please", adverbs, frames. `isAsked`: a frame was there. */
function skipOpening(words: Words, from: number): { at: number; isAsked: boolean } {
  let isAsked = false;
  for (let at = from; ; ) {
    const frame = frames.find((one) => one.every((options, i) => options.includes(words[at + i]?.normal ?? '')));
    const isFrame = frame && !/^(ADP|PUNCT)$/.test(words[at + frame.length]?.pos ?? 'PUNCT');
    const skipped = isFrame ? frame.length : numSkipped(words, at);
    if (skipped === 0) return { at, isAsked };
    isAsked ||= isFrame === true;
    at += skipped;
  }
}

/** How many words from `at` say nothing of what is to be done. */
function numSkipped(words: Words, at: number): number {
  const [word, next] = [words[at], words[at + 1]];
  if (!word) return 0;
  if (/^(PUNCT|SYM|CCONJ|INTJ|SPACE)$/.test(word.pos) || polite.has(word.normal)) return 1;
  if (!next) return 0;
  if (word.pos === 'NUM' && /^[.):]$/.test(next.text)) return 2;
  if (labels.has(word.normal) && words.length > at + 3) {
    const colon = words.slice(at + 1, at + 3).findIndex(({ text }) => text === ':');
    if (colon >= 0) return colon + 2;
  }
  if (/^(ADV|ADJ)$/.test(word.pos) && next.text === ',') return 2;
  const isAdverb = word.pos === 'ADV' && !isClauseOpener(word) && next.pos !== 'AUX' && next.pos !== 'ADP';
  return isAdverb ? 1 : 0;
}

/** Past a clause or phrase that comes first: "If …, ", "Given …, ", "To …, ", "For each of …, ". */
function mainClause(words: Words, at: number): number {
  const first = words[at]!;
  const commas = words.flatMap(({ text }, i) => (text === ',' && i > at ? [i] : []));
  const isGerund = first.pos === 'VERB' && first.normal.length > 5 && first.normal.endsWith('ing');
  if (first.pos !== 'ADP' && first.pos !== 'SCONJ' && !openers.has(first.normal) && !isGerund) {
    return commas[0] !== undefined && isShortPhrase(words, at, commas[0]) ? commas[0] + 1 : at;
  }
  const begins = (isCommand: (start: number, isAsked: boolean) => boolean): number | undefined =>
    commas.find((comma) => {
      const opening = skipOpening(words, comma + 1);
      return isCommand(opening.at, opening.isAsked);
    });
  // A verb to the tagger is surer than one that is tagged again.
  const comma =
    begins((i) => isBaseVerb(words[i]) && words[i + 1]?.pos !== 'CCONJ') ??
    begins((i, isAsked) => isAsked || command(words, i, false) !== undefined) ??
    commas[0];
  if (comma !== undefined) return comma + 1;
  if (words.at(-1)?.text === '?') return at;
  // No comma: "Given a list of numbers find the largest".
  const verb = words.findIndex(
    (word, i) => i > at + 1 && isBaseVerb(word) && /^(NOUN|PROPN|NUM|PRON)$/.test(words[i - 1]!.pos),
  );
  return verb > 0 && words[verb - 1]!.pos !== 'PRON' ? verb : at;
}

const isBaseVerb = (word: EnglishWord | undefined): boolean => word?.pos === 'VERB' && isBase(word);

/** "One day, …": no subject, no list. */
function isShortPhrase(words: Words, at: number, comma: number): boolean {
  const next = words[comma + 1];
  const hasVerb = words.slice(at, comma).some(({ pos }) => pos === 'VERB' || pos === 'AUX');
  const isList = words.slice(comma + 1, comma + 5).some(({ pos }) => pos === 'CCONJ');
  return comma - at <= 3 && next !== undefined && !isClauseOpener(next) && !hasVerb && !isList;
}

/** The verb at `at`, if a command begins there. `isAsked`: a frame says that one does. */
function command(words: Words, at: number, isAsked: boolean): VerbNoun | undefined {
  const first = words[at];
  if (!first || isClauseOpener(first) || notVerbs.has(first.normal)) return undefined;
  if (first.pos === 'AUX') return isAsked && /^(do|have)$/.test(first.normal) ? withObject(words, at) : undefined;
  if (isBaseVerb(first)) return withObject(words, at);
  if (!/^(NOUN|PROPN|ADJ|ADV|VERB|X|INTJ)$/.test(first.pos)) return undefined;
  if (!isAsked && (hasSubject(words, at) || isAlone(words, at))) return undefined;
  const again = tagEnglish(`You must ${textOf(words, at)}`)
    .flat()
    .slice(2);
  if (again.length === 0) return undefined;
  // No adjective stands before an article: "Complete the story".
  const isBeforeArticle = /^(DET|NUM|PRON)$/.test(again[1]?.pos ?? '');
  return isBaseVerb(again[0]) || isBeforeArticle || isAsked ? withObject(again, 0) : undefined;
}

/** "Fruit.", "Verse 1:". */
function isAlone(words: Words, at: number): boolean {
  const [next, second] = [words[at + 1], words[at + 2]];
  return !next || next.pos === 'PUNCT' || (next.pos === 'NUM' && (!second || second.pos === 'PUNCT'));
}

function textOf(words: Words, from: number): string {
  const text = words.slice(from).map((word) => word.space + word.text);
  const joined = text.join('').trimStart();
  return joined.charAt(0).toLowerCase() + joined.slice(1);
}

/** Whether the words from `at` are a noun phrase with a finite verb behind it: "Design patterns help". */
function hasSubject(words: Words, at: number): boolean {
  let end = at + 1;
  while (/^(NOUN|PROPN|ADJ)$/.test(words[end]?.pos ?? '') || words[end]?.normal === "'s") end += 1;
  const [next, after] = [words[end], words[end + 1]];
  if (next?.pos === 'AUX') return true;
  if (next?.pos !== 'VERB' || next.normal.endsWith('ing')) return false;
  // "List items used in kitchens."
  return !(/(ed|en|wn)$/.test(next.normal) && (!after || /^(ADP|PUNCT|ADV)$/.test(after.pos)));
}
