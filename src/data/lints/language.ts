/**
 * Whether a text is in the language it should be, by its script alone: Chinese or not Chinese. English is not told from
 * French. Tasks about another language or about code rightly have other letters in their answers.
 */

export type Language = 'en' | 'zh';

/** A Chinese text may be mostly names, units and code; an English one may quote a few characters. */
const leastChinese = 0.2;
const mostChineseInEnglish = 0.5;
/** An answer shorter than this many letters says nothing of its language: “B”, “42 km”, “Python”. */
const leastLetters = 20;

const otherTongue: Record<Language, RegExp> = {
  en: /translat|chinese|mandarin|cantonese|japanese|korean|hanzi|kanji|pinyin|hiragana|katakana/iu,
  zh: /译|外语|英[语文]|[法日韩德俄]语|西班牙语|拉丁|缩写|拼音|字母|单词|代码|编程|程序|脚本|函数|算法|命令|正则|公式|方程|[a-z]{2}/iu,
};

const languageNames =
  /translat|language|languages|english|french|spanish|german|italian|portuguese|russian|arabic|hindi|latin|greek|dutch|swedish|turkish|polish|hebrew|vietnamese|thai|翻译|译[成为]|双语|[英法德日韩俄中汉]语|[英法德日韩俄中]文|西班牙语|葡萄牙语|意大利语|阿拉伯语|拉丁[语文]|外语|traduc|traduis|übersetz/iu;

/** Tasks that speak of a language may rightly be answered in another than their own. */
export const asksForOtherLanguage = (instruction: string): boolean =>
  otherTongue.en.test(instruction) || languageNames.test(instruction);

/** undefined where the instruction is in its language; else what is wrong with it. */
export function wrongLanguage(text: string, language: Language): string | undefined {
  const { letters, han, kana } = countLetters(text);
  if (language === 'zh') {
    if (kana > 0.1 * letters) return 'expected Chinese, got kana or Hangul';
    return han < leastChinese * letters || han === 0 ? 'expected Chinese' : undefined;
  }
  return han + kana > mostChineseInEnglish * letters ? 'expected English, got CJK characters' : undefined;
}

/** The same of an answer. One to a task about another language or about code passes, and so does a very short one. */
export function wrongAnswerLanguage(instruction: string, answer: string, language: Language): string | undefined {
  if (otherTongue[language].test(instruction)) return undefined;
  const isTooShort = language === 'zh' && countLetters(answer).letters < leastLetters;
  return isTooShort ? undefined : wrongLanguage(answer, language);
}

export function countLetters(text: string): { letters: number; han: number; kana: number } {
  const count = (pattern: RegExp): number => (text.match(pattern) ?? []).length;
  return {
    letters: count(/\p{L}/gu),
    han: count(/\p{Script=Han}/gu),
    kana: count(/[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu),
  };
}
