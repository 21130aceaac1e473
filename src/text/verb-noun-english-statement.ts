/**
 * The main verb of an English statement or question, with its object: the first verb that is not in a relative clause, an
 * infinitive or a participle of a noun. A passive has no object; of "How many legs does a spider have" it is in front.
 */
import type { VerbNoun } from './verb-noun.ts';
import {
  isBase,
  isClauseOpener,
  isPossessive,
  objectNoun,
  type Words,
  withObject,
} from './verb-noun-english-object.ts';
import type { EnglishWord } from './verb-noun-tags.ts';

/** The tagger's verbs that are none. */
const neverVerbs = new Set(['people', 'most', 'such', 'many']);
const modal = /^(can|could|will|would|shall|should|may|might|must|do|does|did|'ll)$/;

/** Undefined where the only verb is to be. */
export function statement(words: Words, from: number): VerbNoun | undefined {
  const isQuestion = words.at(-1)?.text === '?';
  let relatives = 0;
  for (let at = from; at < words.length; at += 1) {
    const word = words[at]!;
    if (at > from && opensRelative(words, at)) relatives += 1;
    if (!/^(VERB|AUX)$/.test(word.pos) || words[at - 1]?.normal === 'to' || isOfNoun(words, at)) continue;
    const group = verbGroup(words, at, isQuestion && relatives === 0);
    if (relatives > 0) {
      relatives -= 1;
      at = group.end - 1;
      continue;
    }
    if (group.verb === undefined) return undefined;
    const found = withObject(words, group.verb);
    if (group.isPassive) return { verb: found.verb };
    return found.noun === undefined && group.isInverted ? { verb: found.verb, noun: fronted(words, from, at) } : found;
  }
  return relatives === 0 ? mistakenVerb(words, from) : undefined;
}

/** "…, which weighs two tons", "people who live": its verb is not the sentence's. */
const opensRelative = (words: Words, at: number): boolean =>
  /^(who|which|that|whose|whom)$/.test(words[at]!.normal) &&
  (words[at - 1]?.text === ',' || /^(NOUN|PROPN|PRON|NUM)$/.test(words[at - 1]?.pos ?? ''));

/** "The book written by …", "people living in …", "a given name", "Baking bread needs …": no verb of the main clause. */
function isOfNoun(words: Words, at: number): boolean {
  const word = words[at]!;
  const before = words[at - 1];
  if (word.pos !== 'VERB') return false;
  if (word.normal.endsWith('ing')) {
    if (!before || before.pos === 'PUNCT') return hasFinite(words, at + 1);
    return before.pos !== 'AUX' && before.pos !== 'ADV';
  }
  if (!/(ed|en|wn|[^aeiou]t)$/.test(word.normal) || isBase(word) || !before) return false;
  if (/^(DET|ADJ|NUM)$/.test(before.pos) || isPossessive(before)) return true;
  if (!/^(NOUN|PROPN|PRON)$/.test(before.pos)) return false;
  return words[at + 1]?.normal === 'by' || (words[at + 1]?.pos === 'ADP' && hasFinite(words, at + 2));
}

/** Whether a verb of the same clause comes from `from` on. */
function hasFinite(words: Words, from: number): boolean {
  for (let at = from; at < words.length; at += 1) {
    const word = words[at]!;
    if (word.pos === 'SCONJ' || word.pos === 'PRON' || word.text === ',' || isClauseOpener(word)) return false;
    if (words[at - 1]?.normal === 'to') continue;
    if (word.pos === 'AUX' || (word.pos === 'VERB' && word.normal.endsWith('s') && !isBase(word))) return true;
  }
  return false;
}

interface VerbGroup {
  /** Place of the main verb; undefined where the only verb is to be. */
  readonly verb: number | undefined;
  readonly isPassive: boolean;
  /** Whether a subject stands between auxiliary and verb. */
  readonly isInverted: boolean;
  readonly end: number;
}

/** Auxiliaries, what stands between them, and the verb, from a verb or auxiliary on. */
function verbGroup(words: Words, from: number, isQuestion: boolean): VerbGroup {
  let at = from;
  let isInverted = false;
  while (words[at]!.pos === 'AUX') {
    const auxiliary = words[at]!;
    const isModal = modal.test(auxiliary.normal);
    let next: number | undefined = skipBetween(words, at + 1);
    // "What is the …" asks for a thing, whatever verbs tell of it.
    const asksForThing = auxiliary.lemma === 'be' && /^(what|who|which)$/.test(words[at - 1]?.normal ?? '');
    if (!isVerbal(words[next]) || (isModal && !isBase(words[next]!))) {
      if (isQuestion && !isInverted && !asksForThing) {
        next = verbBehindSubject(words, next, isModal);
        isInverted = next !== undefined;
        // "can lower your costs": behind these stands a verb, whatever the tag.
      } else if (!isModal || !/^(ADJ|NOUN)$/.test(words[next]?.pos ?? '')) next = undefined;
    }
    if (next === undefined) {
      const isVerb = auxiliary.lemma === 'have' || auxiliary.lemma === 'do';
      return { verb: isVerb ? at : undefined, isPassive: false, isInverted, end: at + 1 };
    }
    if (words[next]!.pos !== 'AUX') {
      const isPassive = auxiliary.lemma === 'be' && !words[next]!.normal.endsWith('ing');
      return { verb: next, isPassive, isInverted, end: next + 1 };
    }
    at = next;
  }
  return { verb: at, isPassive: false, isInverted, end: at + 1 };
}

const isVerbal = (word: EnglishWord | undefined): boolean =>
  (word?.pos === 'VERB' && !neverVerbs.has(word.normal)) || word?.pos === 'AUX';

function skipBetween(words: Words, from: number): number {
  let at = from;
  while (words[at] && (words[at]!.pos === 'ADV' || /^(not|n't)$/.test(words[at]!.normal))) at += 1;
  return at;
}

/** Place of the verb behind the subject of a question: "How does an engine work?" */
function verbBehindSubject(words: Words, from: number, isModal: boolean): number | undefined {
  const verb = words.findIndex((word, i) => {
    if (i <= from || !isVerbal(word) || words[i - 1]?.normal === 'to' || isOfNoun(words, i)) return false;
    // "Is the shop closing?", "Have you seen it?"
    return isModal ? isBase(word) : word.pos === 'VERB' && !isBase(word);
  });
  if (verb >= 0) return verb;
  if (!isModal) return undefined;
  // "work" may be a noun to the tagger.
  let last = from;
  while (/^(DET|NUM|ADJ|NOUN|PROPN|PRON)$/.test(words[last + 1]?.pos ?? '')) last += 1;
  return last > from && /^(NOUN|ADJ)$/.test(words[last]!.pos) ? last : undefined;
}

/** The noun of a question's first phrase. */
function fronted(words: Words, from: number, auxiliary: number): string | undefined {
  if (!/^(how|which|what)$/.test(words[from]?.normal ?? '') || words[auxiliary]?.lemma === 'be') return undefined;
  return words.slice(from, auxiliary).findLast(({ pos }) => pos === 'NOUN')?.lemma;
}

/** "The teacher stops the class": a plural to the tagger, where the sentence has no verb else. */
function mistakenVerb(words: Words, from: number): VerbNoun | undefined {
  const at = words.findIndex(
    (word, i) =>
      i > from &&
      word.pos === 'NOUN' &&
      word.normal.endsWith('s') &&
      !isBase(word) &&
      (/^(NOUN|PROPN)$/.test(words[i - 1]!.pos) || /^(what|who)$/.test(words[i - 1]!.normal)) &&
      /^(DET|NOUN|ADJ|PRON|NUM)$/.test(words[i + 1]?.pos ?? ''),
  );
  return at < 0 ? undefined : { verb: words[at]!.lemma, noun: objectNoun(words, words[at]!.lemma, at + 1) };
}
