/** The seeds and questions that come with the product are what the documents say of them. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { assetsFolder } from '../../src/base/paths.ts';
import { contaminated } from '../../src/data/decontaminate.ts';
import { readQuestions, readSeeds, seedConversation } from '../../src/data/formats.ts';
import { NoveltyFilter } from '../../src/data/novelty.ts';
import { countBy } from '../../src/data/statistics.ts';
import { rejectInstruction } from '../../src/generate/filter.ts';
import { parseInstruction } from '../../src/generate/parse.ts';

const files = (kind: string, ...names: string[]) => names.map((name) => join(assetsFolder, kind, `${name}.jsonl`));
const seeds = readSeeds(files('seeds', 'en-a', 'en-b', 'zh'));
const questions = readQuestions(files('questions', 'en', 'zh'));

describe('seeds', () => {
  test('enough of each language, 12 to 20 % classification in English', () => {
    const english = seeds.filter(({ language }) => language === 'en');
    const chinese = seeds.filter(({ language }) => language === 'zh');
    expect(english.length).toBeGreaterThanOrEqual(175);
    expect(chinese.length).toBeGreaterThanOrEqual(60);
    const share = english.filter(({ classification }) => classification).length / english.length;
    expect(share).toBeGreaterThanOrEqual(0.12);
    expect(share).toBeLessThanOrEqual(0.2);
  });

  test('the language that is guessed is that of the file', () => {
    expect(seeds.filter(({ id, language }) => !id.startsWith(`${language}-`))).toEqual([]);
  });

  test('they are new to each other, and pass the filters for generated instructions', () => {
    const novelty = new NoveltyFilter();
    expect(seeds.filter(({ instruction }) => !novelty.offer(instruction).kept)).toEqual([]);
    const rejected = seeds.flatMap((seed) => {
      const parsed = parseInstruction(seedConversation(seed).messages[0]?.content ?? '');
      const { language } = seed;
      const rejection = rejectInstruction(parsed, { finishReason: 'stop', examples: [], language });
      return rejection ? [{ id: seed.id, ...rejection }] : [];
    });
    expect(rejected).toEqual([]);
  });
});

describe('questions', () => {
  test('80 or more of each language in the same nine categories', () => {
    for (const language of ['en', 'zh']) {
      const own = questions.filter((question) => question.language === language);
      expect(own.length).toBeGreaterThanOrEqual(80);
      expect(own.filter(({ id }) => !id.startsWith(`q-${language}-`))).toEqual([]);
      expect(Object.keys(countBy(own.map(({ category }) => category))).sort()).toEqual([
        'coding',
        'common-sense',
        'counterfactual',
        'estimation',
        'generic',
        'knowledge',
        'math',
        'roleplay',
        'writing',
      ]);
    }
  });
});

describe('together', () => {
  test('no id stands twice', () => {
    const ids = [...seeds, ...questions].map(({ id }) => id);
    expect(ids.length).toBe(new Set(ids).size);
  });

  test('no seed gives a question away', () => {
    expect(contaminated(seeds.map(seedConversation), questions)).toEqual([]);
  });

  test('a planted copy of any question is found', () => {
    const planted = questions.map(({ id, prompt }) =>
      seedConversation({ ...seeds[0]!, id, instruction: `Answer this: ${prompt}`, input: '' }),
    );
    const found = contaminated(planted, questions);
    expect(found.filter(({ id, question }) => id === question).map(({ id }) => id)).toEqual(
      questions.map(({ id }) => id),
    );
  });
});
