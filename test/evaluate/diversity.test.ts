import { expect, it } from 'vitest';
import { diversityByLanguage } from '../../src/evaluate/diversity.ts';

it('counts words of English in lower case, without punctuation at their ends', () => {
  // the cat sat | the dog sat | the cat sat: 9 words, 4 different; 6 pairs: the-cat cat-sat the-dog dog-sat; 3 triples, 2.
  const answers = ['The cat sat.', 'the dog, sat', '“The cat” sat!'];
  expect(diversityByLanguage(answers)).toEqual([
    { language: 'en', answers: 3, unique: 2, uniqueShare: 2 / 3, units: 9, distinct: [4 / 9, 4 / 6, 2 / 3] },
  ]);
});

it('counts Chinese by character, apart, and no n-gram over the end of an answer', () => {
  const [english, chinese] = diversityByLanguage(['你好', 'One word', '好 你', '你']);
  expect(english).toMatchObject({ language: 'en', answers: 1, units: 2, distinct: [1, 1, null] });
  // 你好, 好你, 你: 5 characters, 2 different; 2 pairs, both different.
  expect(chinese).toEqual({
    language: 'zh',
    answers: 3,
    unique: 3,
    uniqueShare: 1,
    units: 5,
    distinct: [2 / 5, 1, null],
  });
});

it('empty answers are answers, and the same', () => {
  expect(diversityByLanguage(['', '…'])).toEqual([
    { language: 'en', answers: 2, unique: 1, uniqueShare: 0.5, units: 0, distinct: [null, null, null] },
  ]);
  expect(diversityByLanguage([])).toEqual([]);
});

it('n-grams are told apart by their units, not by their letters', () => {
  expect(diversityByLanguage(['ab c', 'a bc'])[0]?.distinct).toEqual([1, 1, null]);
});
