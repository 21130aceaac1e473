import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeAnswer, encodeGroups, groupTokens, planGroups } from '../../src/data/answer-groups.ts';
import { type Preference, type PreferenceAnswer, rankScores } from '../../src/data/preferences.ts';
import { loadChatTemplate } from '../../src/text/chat-template.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';

const folder = join(import.meta.dirname, '../golden/llama-tied');
const tokenizer = loadTokenizer(folder);
const template = loadChatTemplate(folder, tokenizer);

const answersOf = (...contents: readonly (readonly [content: string, score: number])[]): PreferenceAnswer[] => {
  const ranks = rankScores(contents.map(([, score]) => score));
  return contents.map(([content, score], i) => ({ content, score, rank: ranks[i] as number }));
};
const preference = (id: string, answers: PreferenceAnswer[], more: Partial<Preference> = {}): Preference => ({
  id,
  prompt: [{ role: 'user', content: 'Say it.' }],
  answers,
  provenance: { source: 'imported', row: 7 },
  ...more,
});
const encode = (preferences: readonly Preference[], maxTokens = 1000) =>
  encodeGroups(preferences, tokenizer, template, maxTokens);

/** What of a document is the answer's own, as text. */
const marked = ({ ids, labelMask }: { ids: readonly number[]; labelMask: Uint8Array }): string =>
  tokenizer.decode(
    ids.filter((_, i) => labelMask[i] === 1),
    { skipSpecialTokens: false },
  );

describe('encodeAnswer', () => {
  it('marks the last answer with its end of turn, and no earlier one', () => {
    const document = encodeAnswer(
      'x',
      [
        { role: 'user', content: 'One?' },
        { role: 'assistant', content: 'first' },
        { role: 'user', content: 'Two?' },
        { role: 'assistant', content: 'second' },
      ],
      tokenizer,
      template,
    );
    expect(marked(document)).toBe('second<|im_end|>');
    expect(document.labelTokens).toBe('second'.length + 1);
    expect(document.labelMask).toHaveLength(document.ids.length);
  });
});

describe('encodeGroups', () => {
  it('makes every two of unequal rank a pair, by their places, with the margin of their scores', () => {
    const { groups, receipt } = encode([preference('a', answersOf(['good', 9], ['bad', 2], ['fair', 5], ['fine', 9]))]);
    const [{ pairs, documents, answers }] = groups as [(typeof groups)[number]];
    expect(pairs).toEqual([
      { better: 0, worse: 2, margin: 4 },
      { better: 0, worse: 1, margin: 7 },
      { better: 3, worse: 2, margin: 4 },
      { better: 3, worse: 1, margin: 7 },
      { better: 2, worse: 1, margin: 3 },
    ]);
    expect(answers.map(({ content }) => content)).toEqual(['good', 'bad', 'fair', 'fine']);
    expect(documents.map(marked)).toEqual(['good', 'bad', 'fair', 'fine'].map((text) => `${text}<|im_end|>`));
    expect(new Set(documents.map(({ id }) => id)).size).toBe(4);
    const tokens = documents.reduce((sum, { ids }) => sum + ids.length, 0);
    expect(receipt).toEqual({ prompts: 1, kept: 1, answers: 4, pairs: 5, ties: 1, sameText: 0, tokens, dropped: [] });
  });

  it('leaves out answers that are too long, says which, and pairs the others by their new places', () => {
    const answers = answersOf(['best', 9], ['far too long '.repeat(10), 7], ['worst', 1]);
    const { groups, receipt } = encode([preference('a', answers)], 60);
    expect(groups[0]?.pairs).toEqual([{ better: 0, worse: 1, margin: 8 }]);
    expect(groups[0]?.answers.map(({ content }) => content)).toEqual(['best', 'worst']);
    expect(receipt.answers).toBe(2);
    expect(receipt.dropped).toEqual([
      { row: 7, message: expect.stringMatching(/^a: answer 2 with its prompt has 1\d\d tokens, the limit is 60$/) },
    ]);
  });

  it('counts prompts that are left without a pair: too long, tied, undecided, or twice the same text', () => {
    const { groups, receipt } = encode(
      [
        preference('long', answersOf(['much too long '.repeat(10), 9], ['short', 1])),
        preference('tied', answersOf(['yes', 5], ['no', 5])),
        preference('undecided', answersOf(['yes', 6], ['no', 5]), { undecided: [['no', 'yes']] }),
        preference('same', answersOf(['yes', 6], ['yes', 5])),
        preference('kept', answersOf(['yes', 6], ['no', 5])),
      ],
      60,
    );
    expect(groups.map(({ id }) => id)).toEqual(['kept']);
    expect(receipt).toMatchObject({ prompts: 5, kept: 1, pairs: 1, ties: 2 });
    expect(receipt.dropped.map(({ message }) => message)).toEqual([
      expect.stringContaining('long: answer 1 with its prompt has'),
      ...['long', 'tied', 'undecided', 'same'].map((id) => `${id}: no two answers are left of which one is better`),
    ]);
  });

  it('counts twos of equal text: of unequal rank they teach nothing, of equal rank they are ties', () => {
    const { groups, receipt } = encode([
      preference('a', answersOf(['yes', 9], ['no', 5], ['yes', 2], ['yes', 2])),
      preference('b', answersOf(['same', 2], ['same', 1])),
    ]);
    // Of a: the first yes before either other one; these two are tied.
    expect(groups.map(({ id, pairs }) => [id, pairs])).toEqual([
      [
        'a',
        [
          { better: 0, worse: 1, margin: 4 },
          { better: 1, worse: 2, margin: 3 },
          { better: 1, worse: 3, margin: 3 },
        ],
      ],
    ]);
    expect(receipt).toMatchObject({ prompts: 2, kept: 1, pairs: 3, ties: 1, sameText: 3 });
  });

  it("takes the file's margin before the scores'", () => {
    const { groups } = encode([preference('a', answersOf(['yes', 9], ['no', 2]), { margin: 0.5 })]);
    expect(groups[0]?.pairs).toEqual([{ better: 0, worse: 1, margin: 0.5 }]);
  });
});

describe('planGroups', () => {
  const { groups } = encode(
    Array.from({ length: 23 }, (_, i) => {
      const answers = Array.from({ length: 2 + (i % 3) }, (_, j) => [`answer ${i} `.repeat(j + 1), j] as const);
      return preference(`row ${i}`, answersOf(...answers));
    }),
  );
  const plan = (more: object = {}) =>
    planGroups(groups, { epochs: 2, packTokens: 300, batchTokens: 900, seed: 1, ...more });

  it('goes through every prompt once an epoch, each time in another order, its answers together', () => {
    const byEpoch = [0, 1].map((epoch) =>
      plan()
        .filter((step) => step.epoch === epoch)
        .flatMap(({ parts }) => parts.flatMap((part) => part.groups.map(({ id }) => id))),
    );
    const all = groups.map(({ id }) => id).sort();
    for (const ids of byEpoch) expect([...ids].sort()).toEqual(all);
    expect(byEpoch[0]).not.toEqual(byEpoch[1]);
    for (const { parts } of plan()) {
      for (const { pack, groups: own } of parts) expect(pack).toEqual(own.flatMap(({ documents }) => documents));
    }
  });

  it('fills packs and steps as far as they go', () => {
    const tokens = (all: readonly { pack: readonly { ids: readonly number[] }[] }[]) =>
      all.reduce((sum, { pack }) => sum + pack.reduce((own, { ids }) => own + ids.length, 0), 0);
    const largest = Math.max(...groups.map(groupTokens));
    expect(largest).toBeGreaterThan(200);
    for (const { parts } of plan()) {
      expect(tokens(parts)).toBeLessThanOrEqual(900);
      for (const part of parts) if (part.groups.length > 1) expect(tokens([part])).toBeLessThanOrEqual(300);
    }
    expect(plan().some(({ parts }) => parts.length > 1)).toBe(true);
    expect(plan().some(({ parts }) => parts.some(({ groups: own }) => own.length > 1))).toBe(true);
    // A prompt larger than a pack is not parted.
    const small = plan({ packTokens: 10, batchTokens: 10 });
    expect(small).toHaveLength(2 * groups.length);
  });

  it('is the same for a seed, and another for another', () => {
    const ids = (steps: ReturnType<typeof plan>) =>
      steps.map(({ parts }) => parts.map((part) => part.groups.map(({ id }) => id)));
    expect(ids(plan())).toEqual(ids(plan()));
    expect(ids(plan({ seed: 2 }))).not.toEqual(ids(plan()));
  });
});
