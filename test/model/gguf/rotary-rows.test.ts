import { describe, expect, it } from 'vitest';
import { undoRotaryPermutation } from '../../../src/model/gguf/rotary-rows.ts';

describe('undoRotaryPermutation', () => {
  it('puts a head of four rows back: 0 2 1 3', () => {
    // Two heads of four rows of two columns; row r of head h is [10·h + r, −(10·h + r)].
    const rows = [0, 1, 2, 3, 10, 11, 12, 13];
    const values = Float32Array.from(rows.flatMap((row) => [row, -row]));
    const expected = [0, 2, 1, 3, 10, 12, 11, 13].flatMap((row) => [row, row === 0 ? -0 : -row]);
    expect([...undoRotaryPermutation(values, { numHeads: 2, headDim: 4 })]).toEqual(expected);
  });

  it('is the inverse of what llama.cpp does: reshape [heads, 2, half, columns], swap the middle two', () => {
    const [numHeads, half, columns] = [3, 5, 7];
    const original = Float32Array.from({ length: numHeads * 2 * half * columns }, (_, i) => i);
    const permuted = new Float32Array(original.length);
    let at = 0;
    for (let head = 0; head < numHeads; head++)
      for (let i = 0; i < half; i++)
        for (let j = 0; j < 2; j++)
          for (let column = 0; column < columns; column++)
            permuted[at++] = original[((head * 2 + j) * half + i) * columns + column]!;
    expect(undoRotaryPermutation(permuted, { numHeads, headDim: 2 * half })).toEqual(original);
  });

  it('refuses values that are not whole heads', () => {
    expect(() => undoRotaryPermutation(new Float32Array(9), { numHeads: 2, headDim: 4 })).toThrow('9 values');
  });
});
