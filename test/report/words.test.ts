import { describe, expect, it } from 'vitest';
import { lengthControlledWinRate } from '../../src/evaluate/length-controlled.ts';
import { rejectInstruction } from '../../src/generate/filter.ts';
import { nouns } from '../../src/report/nouns.ts';
import { dataPhrases } from '../../src/report/phrases-data.ts';
import { evaluationPhrases } from '../../src/report/phrases-evaluation.ts';
import { loopPhrases } from '../../src/report/phrases-loop.ts';
import { runPhrases } from '../../src/report/phrases-run.ts';
import { toldPhrases } from '../../src/report/phrases-told.ts';
import { trainingPhrases } from '../../src/report/phrases-training.ts';
import { chinese, english, type Noun, type Phrase } from '../../src/report/words.ts';

const tables = [runPhrases, dataPhrases, evaluationPhrases, loopPhrases, toldPhrases, trainingPhrases];
const phrases: Readonly<Record<string, string>> = Object.assign({}, ...tables);
const placesOf = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

describe('the two languages', () => {
  it('have the same places in every sentence', () => {
    for (const [phrase, translated] of Object.entries(phrases))
      expect(placesOf(translated), phrase).toEqual(placesOf(phrase));
    // No sentence stands in two tables.
    expect(Object.keys(phrases)).toHaveLength(tables.reduce((sum, table) => sum + Object.keys(table).length, 0));
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

  it('know sentences that come with results, whatever is named in them', () => {
    // As src/evaluate/length-controlled.ts, src/generate/filter.ts and src/data/pack.ts write them.
    const equal = lengthControlledWinRate(
      [1, 2, 3].map((question) => ({ question: String(question), preference: 0, lengthDifference: question })),
    );
    const unfit = 'unfit' in equal ? equal.unfit : '';
    expect(unfit).toMatch(/^every preference is 0/);
    expect(chinese.told(unfit)).toMatch(/^所有偏好都是 0：/);
    expect(english.told(unfit)).toBe(unfit);
    const short = rejectInstruction(
      { text: 'Go.', closed: true },
      { finishReason: 'stop', language: 'en', examples: [] },
    );
    expect([chinese.told(short!.reason), chinese.told(short!.detail!)]).toEqual(['太短', '词数：1']);
    expect(chinese.told('F 0.91 with: (a+) {n} $&')).toBe('F 值 0.91，最相近的是：(a+) {n} $&');
    expect(chinese.told('"so it is" 9 times, 40 % of the text')).toBe('"so it is" 出现 9 次，占全文的 40%');
    expect(chinese.told('anything else')).toBe('anything else');
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
