import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PackedAttention } from '../../src/model/attention.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { scope } from '../../src/torch/tensor.ts';

/** Golden files by scripts/golden/llama.py: tiny random models, logits by transformers in fp32. */
const golden = join(import.meta.dirname, '../golden');

function largestDifference(a: readonly number[][], b: readonly number[][]): number {
  expect(a.length).toBe(b.length);
  return Math.max(
    ...a.map((row, i) => Math.max(...row.map((value, j) => Math.abs(value - (b[i]?.[j] ?? Number.NaN))))),
  );
}

describe.each(['llama-tied', 'llama3-untied'])('%s', (name) => {
  const folder = join(golden, name);
  const { ids, logits } = JSON.parse(readFileSync(join(folder, 'logits.json'), 'utf8')) as {
    ids: number[];
    logits: number[][];
  };

  const forward = (tokens: number[], lengths: number[]): number[][] => {
    const decoder = loadDecoder(folder, 'float32');
    const flat = scope(() =>
      noGrad(() => {
        const attention = new PackedAttention(decoder, lengths);
        return toFloat32(decoder.logits(decoder.hidden(fromIntegers(tokens, [tokens.length]), attention)));
      }),
    );
    decoder.release();
    const vocab = flat.length / tokens.length;
    return tokens.map((_, row) => Array.from(flat.subarray(row * vocab, (row + 1) * vocab)));
  };

  it("gives transformers' logits within 1e-4", () => {
    const ours = forward(ids, [ids.length]);
    expect(largestDifference(ours, logits)).toBeLessThan(1e-4);
  });

  it('keeps documents of a pack apart', () => {
    const second = ids.slice(3, 15);
    const packed = forward([...ids, ...second], [ids.length, second.length]);
    const alone = forward(second, [second.length]);
    expect(largestDifference(packed, [...logits, ...alone])).toBeLessThan(1e-4);
  });

  it('gives the same through the fused attention of long documents', () => {
    const long = Array.from({ length: 1100 }, (_, i) => ids[i % ids.length]!);
    const whole = forward(long, [1100]);
    const short = forward(long.slice(0, 900), [900]);
    expect(largestDifference(whole.slice(0, 900), short)).toBeLessThan(1e-4);
  });
});
