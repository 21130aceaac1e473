/**
 * Words with their parts of speech, from libraries of others that are loaded at first use: English by `wink-nlp` (Universal
 * POS tags; 0.1 s, 50 MB), Chinese by jieba (ICTCLAS tags). What is verb
 * and what object is for verb-noun-english.ts and verb-noun-chinese.ts to say.
 */
import { createRequire } from 'node:module';
import { jieba } from './jieba.ts';

/** Universal POS tags. */
type Pos =
  | 'ADJ'
  | 'ADP'
  | 'ADV'
  | 'AUX'
  | 'CCONJ'
  | 'DET'
  | 'INTJ'
  | 'NOUN'
  | 'NUM'
  | 'PART'
  | 'PRON'
  | 'PROPN'
  | 'PUNCT'
  | 'SCONJ'
  | 'SPACE'
  | 'SYM'
  | 'VERB'
  | 'X';

export interface EnglishWord {
  readonly text: string;
  /** Lower case, American spelling. */
  readonly normal: string;
  readonly lemma: string;
  readonly pos: Pos;
  /** White space before it. */
  readonly space: string;
}

export interface ChineseWord {
  readonly text: string;
  /** `n` noun, `v` verb, `uj` 的, `m` number with its measure word, `x` mark, …; the dictionary's, not this sentence's. */
  readonly tag: string;
}

/** Where wink's American spelling is nobody's. */
const respelled = new Map([['dialog', 'dialogue']]);

const require = createRequire(import.meta.url);

/** The part of wink-nlp's interface that is used. */
interface WinkNlp {
  readonly its: {
    readonly normal: unknown;
    readonly lemma: unknown;
    readonly pos: unknown;
    readonly precedingSpaces: unknown;
  };
  readDoc(text: string): {
    sentences(): { each(visit: (sentence: { tokens(): { out(feature?: unknown): string[] } }) => void): void };
  };
}

let english: WinkNlp | undefined;

/** The sentences of a text, each with its words; a punctuation mark is a word. */
export function tagEnglish(text: string): EnglishWord[][] {
  english ??= (require('wink-nlp') as (model: unknown, pipe: readonly string[]) => WinkNlp)(
    require('wink-eng-lite-web-model'),
    ['sbd', 'pos'],
  );
  const { its } = english;
  const sentences: EnglishWord[][] = [];
  const document = english.readDoc(text);
  document.sentences().each((sentence) => {
    const tokens = sentence.tokens();
    const [normals, lemmas, tags, spaces] = [its.normal, its.lemma, its.pos, its.precedingSpaces].map((feature) =>
      tokens.out(feature),
    ) as [string[], string[], string[], string[]];
    const words = tokens.out().map((word, i): EnglishWord => {
      const lemma = lemmas[i]!;
      const pos = tags[i] as Pos;
      return { text: word, normal: normals[i]!, lemma: respelled.get(lemma) ?? lemma, pos, space: spaces[i]! };
    });
    sentences.push(words);
  });
  return sentences;
}

export const tagChinese = (text: string): ChineseWord[] =>
  jieba()
    .tag(text)
    .map(({ word, tag }) => ({ text: word, tag }));
