import { describe, expect, it } from 'vitest';
import { nouns } from '../../src/report/nouns.ts';
import { evaluationPhrases } from '../../src/report/phrases-evaluation.ts';
import { runPhrases } from '../../src/report/phrases-run.ts';
import { chinese, english, type Noun, type Phrase } from '../../src/report/words.ts';

const phrases: Readonly<Record<string, string>> = { ...runPhrases, ...evaluationPhrases };
const placesOf = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

describe('the two languages', () => {
  it('have the same places in every sentence', () => {
    for (const [phrase, translated] of Object.entries(phrases))
      expect(placesOf(translated), phrase).toEqual(placesOf(phrase));
    expect(Object.keys(runPhrases).filter((phrase) => phrase in evaluationPhrases)).toEqual([]);
  });

  it('are another in every sentence with words', () => {
    const same = Object.entries(phrases).filter(([phrase, translated]) => phrase === translated);
    expect(same.map(([phrase]) => phrase)).toEqual(['n', 'ROUGE-L', 'ROUGE-L {before} → {after}', '“{name}”']);
  });

  it('count with a plural, and with a measure word', () => {
    expect([english.plural(1, 'question'), english.plural(2, 'smaller category')]).toEqual([
      '1 question',
      '2 smaller categories',
    ]);
    expect(chinese.plural(1200, 'question')).toBe('1,200 个问题');
    for (const noun of Object.keys(nouns)) expect(chinese.plural(3, noun as Noun)).toMatch(/3 ?\p{Script=Han}/u);
  });

  it('fill places, and leave text of the data alone', () => {
    const phrase: Phrase = '{name}: held-out questions';
    expect(english.say(phrase, { name: '{n} $& {name}' })).toBe('{n} $& {name}: held-out questions');
    expect(chinese.say(phrase, { name: 'a' })).toBe('a：留出问题');
    expect(chinese.told('constructor')).toBe('constructor');
    expect(chinese.share(3, 40)).toBe('3/40（7.5%）');
    expect(english.range({ low: -1, high: 2 }, 1)).toBe('\u22121.0 to 2.0');
  });
});
