import { describe, expect, it } from 'vitest';
import { characters, hasCjk, isCjk, whitespaceWords } from '../../src/text/words.ts';

describe('isCjk', () => {
  it.each([
    ['Han', '中'],
    ['Han, compatibility', '\uF900'],
    ['Han, extension A', '\u3400'],
    ['Han, extension B', '\u{20000}'],
    ['Han, extension G', '\u{30000}'],
    ['iteration mark', '々'],
    ['zero', '〇'],
    ['Hiragana', 'の'],
    ['Katakana', 'ツ'],
    ['prolonged sound mark', 'ー'],
    ['half-width Katakana', 'ｱ'],
    ['Hangul syllable', '한'],
    ['Hangul jamo', '\u1112'],
  ])('counts %s', (_, character) => {
    expect(isCjk(character)).toBe(true);
  });

  it.each([...'aé1 。、「」・！￥Ａ１я😀', '', '中文', 'a中'])('does not count %j', (text) => {
    expect(isCjk(text)).toBe(false);
  });
});

describe('hasCjk', () => {
  it('finds one character anywhere', () => {
    expect(hasCjk('the word \u{20000}!')).toBe(true);
    expect(hasCjk('GPT模型')).toBe(true);
  });

  it('is not set off by punctuation, full-width letters or an empty text', () => {
    expect(hasCjk('Hello。「quoted」、（ＡＢＣ）・')).toBe(false);
    expect(hasCjk('')).toBe(false);
  });
});

describe('characters', () => {
  it('gives code points, not halves of them, without any white space', () => {
    expect(characters(' 你\u3000好\n\u{20000}\u00A0A。')).toEqual(['你', '好', '\u{20000}', 'A', '。']);
    expect(characters('')).toEqual([]);
  });
});

describe('whitespaceWords', () => {
  it('splits at white space only', () => {
    expect(whitespaceWords("  one, two\tthree-four\u3000don't\n")).toEqual(['one,', 'two', 'three-four', "don't"]);
    expect(whitespaceWords(' \n')).toEqual([]);
    expect(whitespaceWords('')).toEqual([]);
  });
});
