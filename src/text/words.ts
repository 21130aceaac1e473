/**
 * Words and characters of a text, as the ROUGE comparison and the length buckets need them: words between white space,
 * single characters where a script has no spaces. It does not segment Chinese or Japanese into words.
 * Source of the classes: Unicode's Script and White_Space properties.
 */

/**
 * Letters and ideographs of the Han, Hiragana, Katakana and Hangul scripts. The two prolonged sound marks are letters
 * that Unicode files under "Common"; CJK punctuation is excluded, so that “。” in an English text changes nothing.
 */
const cjkCharacter =
  /(?!\p{P})[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u{30FC}\u{FF70}]/u;
const onlyCjkCharacter = new RegExp(`^${cjkCharacter.source}$`, 'u');
const space = /\p{White_Space}+/u;

/** Whether `character` (exactly one code point) is Han, kana or Hangul. */
export const isCjk = (character: string): boolean => onlyCjkCharacter.test(character);

/** The first look is quick, and most texts end at it. */
export const hasCjk = (text: string): boolean => /[\u1100-\u{10FFFF}]/u.test(text) && cjkCharacter.test(text);

/** The code points that are not white space, punctuation included, case as it is. */
export const characters = (text: string): string[] => Array.from(text).filter((character) => !space.test(character));

/** The pieces between white space; none for an empty or blank text. */
export const whitespaceWords = (text: string): string[] => text.split(space).filter((word) => word !== '');

/** Each CJK character by itself, what stands between them whole. */
/** Words between spaces; a Chinese character is a word. */
export const countWords = (text: string): number =>
  whitespaceWords(text).reduce((sum, word) => sum + (hasCjk(word) ? splitCjk(word).length : 1), 0);

export function splitCjk(word: string): string[] {
  const units: string[] = [];
  let joins = false;
  for (const character of word) {
    const single = isCjk(character);
    if (joins && !single) units.push(`${units.pop()}${character}`);
    else units.push(character);
    joins = !single;
  }
  return units;
}
