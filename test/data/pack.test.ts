import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeDocuments, holdOut, packTokens, planTraining, type TokenDocument } from '../../src/data/pack.ts';
import type { Conversation, ConversationTurn } from '../../src/data/records.ts';
import { loadChatTemplate } from '../../src/text/chat-template.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';

/** Documents of these lengths, all but the first token to be learned. */
const documents = (...lengths: number[]): TokenDocument[] =>
  lengths.map((length, i) => ({
    id: `row ${i}`,
    ids: Array.from({ length }, (_, at) => at),
    labelMask: Uint8Array.from({ length }, (_, at) => Number(at > 0)),
    labelTokens: length - 1,
  }));
const alike = (count: number): TokenDocument[] => documents(...Array.from({ length: count }, () => 3));
const idsOf = (all: readonly TokenDocument[]): string[] => all.map(({ id }) => id);
const byPlace = (all: readonly TokenDocument[]): string[] =>
  idsOf(all).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));

describe('encodeDocuments', () => {
  const folder = join(import.meta.dirname, '../golden/llama-tied');
  const tokenizer = loadTokenizer(folder);
  const template = loadChatTemplate(folder, tokenizer, 'chatml');
  const encode = (weights: readonly (0 | undefined)[], maxTokens = 1000) => {
    const messages = weights.flatMap((weight, i): ConversationTurn[] => [
      { role: 'user', content: `Question ${i}?` },
      { role: 'assistant', content: `Answer ${i}.`, ...(weight === 0 ? { weight } : {}) },
    ]);
    const conversation: Conversation = { id: 'x', messages, provenance: { source: 'seed' } };
    return encodeDocuments([conversation], tokenizer, template, maxTokens);
  };
  /** What is learned, as text. */
  const learned = ({ documents: [document] }: ReturnType<typeof encode>): string =>
    tokenizer.decode(document?.ids.filter((_, i) => document.labelMask[i] === 1) ?? []);

  it('leaves answers of weight 0 in and does not learn them', () => {
    const [all, some] = [encode([undefined, undefined, undefined]), encode([0, undefined, 0])];
    expect(learned(all)).toMatch(/^Answer 0\..*Answer 1\..*Answer 2\./s);
    expect(learned(some)).toMatch(/^Answer 1\./);
    expect(learned(some)).not.toMatch(/Answer [02]/);
    expect(some.documents[0]?.ids).toEqual(all.documents[0]?.ids);
    expect(some.receipt.labelTokens).toBe(some.documents[0]?.labelMask.reduce((sum, flag) => sum + flag, 0));
  });

  it('drops what loses its last answer to learn when it is cut', () => {
    const whole = encode([0, undefined]);
    const { receipt } = encode([0, undefined], whole.receipt.tokens - 1);
    expect(receipt).toMatchObject({
      kept: 0,
      dropped: [{ message: 'x: no token to learn (empty answer, or weight 0)' }],
    });
  });
});

describe('holdOut', () => {
  it('parts the documents: none in both, none lost, each part in the given order', () => {
    const all = alike(40);
    const { training, heldOut } = holdOut(all, 0.2, 1);
    expect(heldOut.length).toBe(8);
    expect(byPlace([...training, ...heldOut])).toEqual(idsOf(all));
    for (const part of [training, heldOut]) expect(idsOf(part)).toEqual(byPlace(part));
    // From everywhere, not from one end.
    expect(all.indexOf(heldOut[0]!)).toBeLessThan(20);
    expect(all.indexOf(heldOut.at(-1)!)).toBeGreaterThan(20);
  });

  it('chooses by the seed and the place alone', () => {
    const held = (all: readonly TokenDocument[], seed: number) => idsOf(holdOut(all, 0.2, seed).heldOut);
    const longer = documents(...Array.from({ length: 40 }, (_, i) => 2 + i));
    expect(held(alike(40), 1)).toEqual(held(alike(40), 1));
    expect(held(longer, 1)).toEqual(held(alike(40), 1));
    expect(held(alike(40), 2)).not.toEqual(held(alike(40), 1));
  });

  it('tells documents apart that say the same', () => {
    const [one] = alike(1) as [TokenDocument];
    const { training, heldOut } = holdOut(
      Array.from({ length: 10 }, () => ({ ...one })),
      0.3,
      1,
    );
    expect([training.length, heldOut.length]).toEqual([7, 3]);
  });

  it.each([
    ['no share holds out nothing', 10, 0, 0],
    ['a small share at least one', 10, 0.01, 1],
    ['otherwise rounded', 10, 0.26, 3],
    ['half of them', 10, 0.5, 5],
    ['one is left to learn', 2, 0.5, 1],
    ['the only one is learned', 1, 0.5, 0],
    ['of none none', 0, 0.5, 0],
  ])('%s', (_, count, share, expected) => {
    const { training, heldOut } = holdOut(alike(count), share, 1);
    expect([training.length, heldOut.length]).toEqual([count - expected, expected]);
  });
});

describe('planTraining', () => {
  const all = documents(10, 3, 7, 4, 6, 5, 2, 8);
  const options = { epochs: 3, packTokens: 10, batchTokens: 20, seed: 1 };

  it('takes every document once an epoch, in another order, within the limits', () => {
    const steps = planTraining(all, options);
    const orders = [0, 1, 2].map((epoch) =>
      idsOf(steps.filter((step) => step.epoch === epoch).flatMap(({ packs }) => packs.flat())),
    );
    for (const order of orders) expect([...order].sort()).toEqual(idsOf(all));
    expect(new Set(orders.map((order) => order.join())).size).toBe(3);
    for (const { packs, labelTokens } of steps) {
      for (const pack of packs) expect(packTokens(pack)).toBeLessThanOrEqual(10);
      expect(packs.reduce((sum, pack) => sum + packTokens(pack), 0)).toBeLessThanOrEqual(20);
      expect(labelTokens).toBe(packs.flat().reduce((sum, document) => sum + document.labelTokens, 0));
    }
    expect(planTraining(all, options)).toEqual(steps);
    expect(planTraining(all, { ...options, seed: 2 })).not.toEqual(steps);
  });

  it('ends before the document that would pass the limit of tokens; one that is too long for a pack stands alone', () => {
    const whole = planTraining(all, options).flatMap(({ packs }) => packs.flat());
    const cut = planTraining(all, { ...options, maxTrainTokens: 60 }).flatMap(({ packs }) => packs.flat());
    expect(idsOf(cut)).toEqual(idsOf(whole.slice(0, cut.length)));
    expect(packTokens(cut)).toBeLessThanOrEqual(60);
    expect(packTokens(whole.slice(0, cut.length + 1))).toBeGreaterThan(60);
    const packs = planTraining(documents(30, 2, 2, 2), options).flatMap((step) => step.packs);
    const long = packs.filter((pack) => packTokens(pack) > options.packTokens);
    expect(long.map((pack) => idsOf(pack))).toEqual([['row 0'], ['row 0'], ['row 0']]);
  });
});
