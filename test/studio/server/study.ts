/** A small study to test with. */
import type { PeopleItem } from '../../../src/evaluate/people-items.ts';
import type { Comparison, NextAnswer, Side, Vote } from '../../../studio/protocol.ts';
import { StudyStore } from '../../../studio/server/store.ts';

/** Answers that say which model they are of, so that a test knows what a rater cannot. */
export const makeItems = (count: number): PeopleItem[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `q${i + 1}`,
    question: { id: `q${i + 1}`, language: 'en', text: `Question ${i + 1}?` },
    modelA: 'model-one',
    modelB: 'model-two',
    answerA: `first answer ${i + 1}`,
    answerB: `second answer ${i + 1}`,
  }));

export const checks = ['x', 'y', 'z'].map((id) => ({
  id,
  language: 'en',
  question: `Check ${id}?`,
  good: `good ${id}`,
  other: `nonsense ${id}`,
}));

export function makeStudy(
  folder: string,
  options: { items: number; ratersPerItem: number; itemsPerRater?: number; share?: number; raters: readonly string[] },
): StudyStore {
  const store = new StudyStore(folder, { make: true });
  store.fill(makeItems(options.items), checks, {
    ratersPerItem: options.ratersPerItem,
    itemsPerRater: options.itemsPerRater ?? null,
    checks: { seed: 1, share: options.share ?? 0 },
  });
  store.addRaters(options.raters);
  return store;
}

export const voteFor = (side: Side, comment = ''): Vote => ({
  choices: { helpful: side, honest: 'same', harmless: 'same' },
  comment,
  seconds: 5,
});

export function expectComparison(answer: NextAnswer): Comparison {
  if (answer.kind !== 'comparison') throw new Error(`expected a comparison, got ${answer.kind}`);
  return answer.comparison;
}
