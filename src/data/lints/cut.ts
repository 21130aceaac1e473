/**
 * Answers that stop before their end, by what is there: a fence of code that stays open, a last sentence without an end
 * after others that have one. Titles, labels, lists, tables, verses and code rightly end without a full stop, so a text
 * that has no sentences is not judged.
 */

const sentenceEnd = /[.!?…。！？～~][)）\]】"”'’」』*_]*$/u;
/** What cannot be the end of anything. */
const openEnd = /[,，、；(（[【“「『《]$/u;
/** English words that need another after them. */
const openWord =
  /\s(?:the|an?|and|or|but|nor|is|are|was|were|its|their|our|your|than|because|although|while|into|such as|due to|as well as)$/u;
const leastWords = { openWord: 6, tail: 3 };
const leastHanTail = 4;

/** Hashtags, emoji and addresses stand behind the last sentence: nothing is missed there. */
const trailer = /(?:# ?[\p{L}\p{N}_]+|https?:\/\/\S+|www\.\S+|\p{Extended_Pictographic}\uFE0F?)$/u;
/** Lines that are no prose: tables, headings, code, formulas. */
const notProse = /^\s*[|#>+]|[|={}<>\\]|^\s*(?:```|~~~|\$\$)|\w ?\([^)]*\)\S?$/u;
/** “Sincerely,” and what else ends a letter, in few words on a line of its own. */
const signature =
  /^(?:(?:yours )?(?:sincerely|truly|faithfully)|(?:best|kind|warm)(?: \w+)?|regards|thanks?|thank you|love|cheers|yours)\b/iu;
const closingWords = 5;

/** How it is cut; undefined where it is not, or where that cannot be told. */
export function findCut(answer: string): string | undefined {
  const text = answer.trimEnd();
  const fences = text.match(/^[ \t]*(?:```|~~~)/gmu)?.length ?? 0;
  if (fences % 2 === 1) return 'a fence of code is not closed';
  const lines = text.split('\n');
  const last = lines.at(-1) ?? '';
  if (trailer.test(last) || notProse.test(last)) return undefined;
  if (openEnd.test(last)) return isClosing(last) ? undefined : `ends with ${last.slice(-1)}`;
  const word = openWord.exec(last)?.[0].trim();
  if (word !== undefined && count(last) >= leastWords.openWord) return `ends with “${word}”`;
  if (sentenceEnd.test(last) || !/[\p{L}\p{N}]$/u.test(last)) return undefined;
  const tail = tailOf(last);
  if (tail !== undefined && isLong(tail) && !signature.test(tail) && !isTitle(tail))
    return `the last sentence has no end: ${shown(tail)}`;
  return lastItem(lines);
}

const marker = /^\s*(?:[ivxlIVXL]+|[A-Za-z]|\d+)[.)]\s+/u;

/** What follows on the last sentence that has an end, in the same line. */
function tailOf(line: string): string | undefined {
  // “Nothing is done without hope” - Helen Keller: who said it has no end.
  if (/["”]\s*[-–—~]\s*\p{L}[^!?]{0,40}$/u.test(line)) return undefined;
  const parts = line
    .replace(marker, '')
    .split(/(?<=\p{L}\p{L}[.!?…]["”’')]*)\s+(?=\p{Lu})|(?<=[。！？][”』」）]*)(?=[^”』」）])/u);
  return parts.length > 1 ? parts.at(-1) : undefined;
}

const count = (text: string): number => text.split(/\s+/u).filter((word) => word !== '').length;

function isLong(tail: string): boolean {
  const han = tail.match(/\p{Script=Han}/gu)?.length ?? 0;
  return han > 0 ? han >= leastHanTail : count(tail) >= leastWords.tail;
}

/** One word may be the answer, and the last line of a letter ends with a comma. */
const isClosing = (line: string): boolean => !/\p{Script=Han}/u.test(line) && count(line) < closingWords;

const isTitle = (text: string): boolean => {
  const words = text.split(/\s+/u);
  return words.filter((word) => /^[\p{Lu}\p{N}]/u.test(word)).length > 0.6 * words.length;
};

const item = /^\s*(?:\d{1,3}[.)、．]|[-*•])\s*(.+)$/u;

/** The last item of a list in which all others are sentences. */
function lastItem(lines: readonly string[]): string | undefined {
  const items = lines.flatMap((line) => item.exec(line)?.[1]?.trimEnd() ?? []);
  const own = item.exec(lines.at(-1) ?? '')?.[1]?.trimEnd();
  const others = items.slice(0, -1);
  if (own === undefined || others.length < 2 || !others.every((one) => sentenceEnd.test(one))) return undefined;
  return isLong(own) ? `the last item of the list has no end: ${shown(own)}` : undefined;
}

const shown = (text: string): string => JSON.stringify([...text].slice(-40).join(''));
