/** Attention in inference of short documents, and of families that share a beginning, against each document alone. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentsApart, layOut } from '../../src/infer/pack-layout.ts';
import { PackedAttention } from '../../src/model/attention.ts';
import type { Decoder } from '../../src/model/decoder.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { attentionApart, FamilyAttention, shortRows } from '../../src/model/family-attention.ts';
import { fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { scope } from '../../src/torch/tensor.ts';

const golden = (name: string): string => join(import.meta.dirname, '../golden', name);

describe.each(['llama-tied', 'mistral', 'qwen3', 'opt'])('%s', (name) => {
  let decoder: Decoder;
  beforeAll(() => {
    decoder = loadDecoder(golden(name), 'float32');
  });
  afterAll(() => decoder.release());

  const tokens = (seed: number, length: number): number[] =>
    Array.from({ length }, (_, i) => 3 + ((seed * 31 + i * 37) % (decoder.config.vocabSize - 3)));

  /** Hidden states, a row of numbers for each token. */
  const hidden = (ids: readonly number[], attention: () => FamilyAttention | PackedAttention): number[][] =>
    scope(() =>
      noGrad(() => {
        const flat = Array.from(toFloat32(decoder.hidden(fromIntegers(ids, [ids.length]), attention())));
        const width = decoder.config.hiddenSize;
        return ids.map((_, row) => flat.slice(row * width, (row + 1) * width));
      }),
    );
  const alone = (ids: readonly number[]) => hidden(ids, () => new PackedAttention(decoder, [ids.length]));
  const expectSame = (actual: readonly number[][], expected: readonly number[][]) => {
    expect(actual.length).toBe(expected.length);
    const furthest = actual.flat().reduce((most, value, i) => Math.max(most, Math.abs(value - expected.flat()[i]!)), 0);
    expect(furthest).toBeLessThan(1e-4);
  };

  it('gives documents side by side what each gives alone', () => {
    const documents = [1, 30, 7, 50].map((length, seed) => ({ ids: tokens(seed, length) }));
    const { ids, positions, families } = documentsApart(documents);
    const actual = hidden(ids, () => new FamilyAttention(decoder, positions, families));
    expectSame(
      actual,
      documents.flatMap((one) => alone(one.ids)),
    );
  });

  it('gives documents that share a beginning what each gives alone', () => {
    const beginning = tokens(9, 20);
    const documents = [1, 25, 3, 11].map((length, seed) => ({ ids: [...beginning, ...tokens(seed, length)] }));
    documents.push({ ids: tokens(5, 13) });
    const rows = layOut(documents, [
      { members: [0, 2, 1, 3], length: 20 },
      { members: [4], length: 0 },
    ]);
    const actual = hidden(rows.ids, () => new FamilyAttention(decoder, rows.positions, rows.families));
    const all = rows.rowsOf(documents.flatMap(({ ids }) => ids).map((_, i) => i)).map((row) => actual[row]!);
    expectSame(
      all,
      documents.flatMap((one) => alone(one.ids)),
    );
  });

  it('leaves long documents, and what is not computed by our kernels, to the operators', () => {
    scope(() => {
      expect(attentionApart(decoder, [3, shortRows])).toBeInstanceOf(FamilyAttention);
      expect(attentionApart(decoder, [3, shortRows + 1])).toBeInstanceOf(PackedAttention);
      const { config, dtype, device } = decoder;
      const elsewhere = { config, dtype, device, ownKernels: false, rotation: decoder.rotation.bind(decoder) };
      expect(attentionApart(elsewhere, [3])).toBeInstanceOf(PackedAttention);
    });
  });
});
