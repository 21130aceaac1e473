/**
 * The direct object of an English verb, as the head of the noun phrase behind it: its last noun before a preposition, a
 * clause, a second noun phrase or a conjunction. Common nouns count alone: a name, a pronoun, a number, a quotation or a
 * clause is no noun object.
 */
import type { VerbNoun } from './verb-noun.ts';
import type { EnglishWord } from './verb-noun-tags.ts';

export type Words = readonly EnglishWord[];

const list = (words: string): Set<string> => new Set(words.split(' '));

/** Behind a verb and before an object, where they belong to the verb: "point out two weaknesses". */
const particles = list('out up down off away back');
/** Verbs whose "in" or "on" is a particle. */
const phrasal = new Set(['fill in', 'hand in', 'type in', 'put on', 'turn on', 'switch on', 'try on', 'carry on']);
const recipients = list('me us him them you her');
const possessives = list('my your his her its our their');
/** Verbs that may have a recipient before their object: "give the reader a reason". */
const ditransitive = list('give show offer send teach hand bring lend buy grant assign');
/** Nouns that a mention follows: "the word education". */
const naming = list('word term phrase letter abbreviation acronym symbol number');
/** A clause begins: "explain how …", "decide if …". */
const clauseOpeners = list('that if whether why how what when where who whom whose which');
/** Nouns that look like participles: "machine learning". */
const gerundNouns = list(
  'learning programming engineering marketing processing computing mining banking planning testing training recycling ' +
    'scraping advertising gardening writing cooking accounting manufacturing warming shopping',
);
/** Words that stand for a noun that is not said. */
const elliptic = list('following other same latter former first second third last next above');
/** Before a number: "at least three". */
const quantities = [
  'at least',
  'at most',
  'up to',
  'more than',
  'less than',
  'fewer than',
  'no more than',
  'no less than',
]
  .concat(['exactly', 'about', 'around', 'approximately'])
  .map((words) => words.split(' '));

export const isClauseOpener = ({ normal }: EnglishWord): boolean => clauseOpeners.has(normal);
export const isPossessive = ({ normal }: EnglishWord): boolean => possessives.has(normal);
/** Its form is that of the dictionary. */
export const isBase = ({ lemma, normal }: EnglishWord): boolean => lemma === normal;

/** The verb at `at` with its object. */
export function withObject(words: Words, at: number): VerbNoun {
  const { pos, lemma, normal } = words[at]!;
  const verb = pos === 'VERB' || pos === 'AUX' ? lemma : normal;
  let from = at + 1;
  if (verb === 'compare' && words[from]?.normal === 'and' && words[from + 1]?.normal === 'contrast') from += 2;
  // "Read and summarize the article": the object is of both.
  const isJoint = (i: number) => words[i]?.pos === 'CCONJ' || words[i]?.text === ',';
  while (isJoint(from) && words[from + 1]?.pos === 'VERB') from += 2;
  return { verb, noun: objectNoun(words, verb, from) };
}

/** Lemma of the object of the verb before `from`; undefined where it has none. */
export function objectNoun(words: Words, verb: string, from: number): string | undefined {
  let at = skipParticle(words, verb, skipAdverbs(words, from));
  at = skipQuantity(words, skipAdverbs(words, at));
  const first = words[at];
  if (!first || isClauseOpener(first)) return undefined;
  if (isRecipient(first, words[at + 1])) return phraseAt(words, at + 1)?.head;
  const phrase = phraseAt(words, at);
  const next = phrase && words[phrase.end];
  // "Ensure the text is clear": what was read is the subject of a clause.
  if (!phrase || next?.pos === 'AUX') return undefined;
  if (ditransitive.has(verb) && next && /^(DET|NUM|ADJ|NOUN)$/.test(next.pos) && !isClauseOpener(next)) {
    return phraseAt(words, phrase.end)?.head ?? phrase.head;
  }
  return phrase.head;
}

function skipAdverbs(words: Words, from: number): number {
  let at = from;
  while (words[at]?.pos === 'ADV' && !isClauseOpener(words[at]!)) at += 1;
  return at;
}

function skipQuantity(words: Words, at: number): number {
  const quantity = quantities.find((one) => one.every((word, i) => words[at + i]?.normal === word));
  return quantity && words[at + quantity.length]?.pos === 'NUM' ? at + quantity.length : at;
}

function skipParticle(words: Words, verb: string, at: number): number {
  const word = words[at];
  if (!word || !(particles.has(word.normal) || phrasal.has(`${verb} ${word.normal}`))) return at;
  return startsPhrase(words[at + 1]) ? at + 1 : at;
}

/** "me a joke"; not "her book". */
function isRecipient(word: EnglishWord, next: EnglishWord | undefined): boolean {
  if (!recipients.has(word.normal) || !startsPhrase(next)) return false;
  return !isPossessive(word) || !/^(NOUN|PROPN|ADJ)$/.test(next?.pos ?? '');
}

function startsPhrase(word: EnglishWord | undefined): boolean {
  if (!word || isClauseOpener(word)) return false;
  return /^(DET|NUM|ADJ|NOUN|PROPN)$/.test(word.pos) || isPossessive(word) || isParticiple(word);
}

const isParticiple = ({ pos, normal, lemma }: EnglishWord): boolean =>
  pos === 'VERB' && /(ing|ed|en|wn|t)$/.test(normal) && lemma !== normal;

/** The phrase from `start`: its head's lemma, where that is a common noun, and the place after it. */
function phraseAt(words: Words, start: number): { head: string | undefined; end: number } | undefined {
  let head: EnglishWord | undefined;
  let at = start;
  for (; at < words.length; at += 1) {
    const word = words[at]!;
    const next = words[at + 1];
    if (isHyphenated(words, at)) head = undefined;
    else if (isNoun(word) || isNounAfterAll(words, at, start)) {
      // A mention does not become the head: "the word education".
      const isMention = head && naming.has(head.normal) && words[at - 1] === head && words[start]!.normal === 'the';
      if (!isMention) head = word;
    } else if (word.pos === 'PART' && /^['’]s?$/.test(word.text)) head = undefined;
    else if (word.pos === 'PROPN') continue;
    else if (head || !leadsToNoun(words, at, start, next)) break;
  }
  if (at === start) return undefined;
  const noun = head ?? unknownNoun(words.slice(start, at));
  return { head: noun && gerundNouns.has(noun.normal) ? noun.normal : noun?.lemma, end: at };
}

/** Words with hyphens are one. */
const isHyphenated = (words: Words, at: number): boolean =>
  words[at]!.text === '-' ? words[at + 1]?.space === '' : words[at + 1]?.text === '-';

/** "x" is no noun; "following" never the one that is meant. */
const isNoun = ({ pos, normal }: EnglishWord): boolean => pos === 'NOUN' && normal.length > 1 && !elliptic.has(normal);

/** Whether a word may stand in a phrase before its noun. */
function leadsToNoun(words: Words, at: number, start: number, next: EnglishWord | undefined): boolean {
  const word = words[at]!;
  if (/^(NUM|ADJ)$/.test(word.pos) || elliptic.has(word.normal) || isPossessive(word)) return true;
  if (word.pos === 'DET') return !isClauseOpener(word);
  if (word.pos === 'VERB') return isParticiple(word) && startsPhrase(next);
  const follows = (pos: RegExp): boolean => next !== undefined && pos.test(next.pos);
  if (word.pos === 'ADV') {
    return follows(words[at - 1]?.pos === 'DET' ? /^(ADJ|VERB|ADV|NUM|NOUN|DET)$/ : /^(ADJ|VERB|ADV|NUM|DET)$/);
  }
  return (word.text === ',' || word.pos === 'CCONJ') && at > start && follows(/^(ADJ|NOUN|ADV|VERB)$/);
}

/** The tagger takes "a coffee stain" for a verb's beginning; behind an article or an adjective no verb stands. */
function isNounAfterAll(words: Words, at: number, start: number): boolean {
  const word = words[at]!;
  const before = words[at - 1];
  if (word.pos !== 'VERB' || at === start || !before) return false;
  if (before.pos === 'NOUN' && gerundNouns.has(word.normal)) return true;
  const next = words[at + 1];
  const ends = !next || /^(ADP|PUNCT|CCONJ|SCONJ)$/.test(next.pos) || next.normal === 'to' || isClauseOpener(next);
  if (!ends) return false;
  if (/^(DET|ADJ|NUM)$/.test(before.pos) || isPossessive(before)) return true;
  return before.pos === 'NOUN' && isBase(word) && /^(a|an|the|this|each|every)$/.test(words[start]!.normal);
}

/** "the tense of", "a golden key": an adjective at the end of a phrase with an article is a noun that was not known. */
function unknownNoun(phrase: Words): EnglishWord | undefined {
  const [first, last] = [phrase[0]!, phrase.at(-1)!];
  if (phrase.length < 2 || last.pos !== 'ADJ' || phrase.some(({ pos }) => pos === 'PROPN')) return undefined;
  const hasArticle = first.pos === 'DET' || first.pos === 'NUM' || isPossessive(first);
  return hasArticle && !elliptic.has(last.normal) && !/(er|est)$/.test(last.normal) ? last : undefined;
}
