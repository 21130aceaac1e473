import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../../src/base/paths.ts';
import { toBfloat16 } from '../../../src/model/gguf/bfloat16.ts';
import { openGguf } from '../../../src/model/gguf/reader.ts';
import { readableTypes, tensorTypes } from '../../../src/model/gguf/tensor-types.ts';
import { ggufBytes } from './writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'understudy-gguf-blocks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Through a file, so that the sizes of blocks are tried too. */
function decode(type: number, dimensions: readonly number[], data: ArrayLike<number>): number[] {
  const file = join(folder, 'one.gguf');
  writeFileSync(file, ggufBytes({ tensors: [{ name: 't', dimensions, type, data: Uint8Array.from(data) }] }));
  const gguf = openGguf(file);
  try {
    return [...gguf.readFloat32(gguf.tensors[0]!)];
  } finally {
    gguf.close();
  }
}

describe('worked by hand', () => {
  it('decodes F16, its special values too', () => {
    // 1, −2, the least subnormal, the greatest, −0, ∞, −∞, 1 + 2^−10
    const bits = [0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000, 0x7c00, 0xfc00, 0x3c01];
    const values = decode(
      1,
      [8],
      bits.flatMap((half) => [half & 255, half >> 8]),
    );
    expect(values).toEqual([1, -2, 2 ** -24, 65504, -0, Infinity, -Infinity, 1 + 2 ** -10]);
    expect(decode(1, [1], [0x00, 0x7e])).toEqual([Number.NaN]);
  });

  it('decodes BF16', () => {
    // 1, −2.5, π cut to 8 bits (3.140625), 2^127
    const bits = [0x3f80, 0xc020, 0x4049, 0x7f00];
    expect(
      decode(
        30,
        [2, 2],
        bits.flatMap((half) => [half & 255, half >> 8]),
      ),
    ).toEqual([1, -2.5, 3.140625, 2 ** 127]);
  });

  it('decodes Q8_0', () => {
    const quants = [1, 127, 128, 255, ...Array(28).fill(0)];
    // 0x3800 is 0.5; bytes 128 and 255 are −128 and −1
    expect(decode(8, [32], [0x00, 0x38, ...quants])).toEqual([0.5, 63.5, -64, -0.5, ...Array(28).fill(0)]);
  });

  it('decodes Q4_0', () => {
    // 0x4000 is 2. Low halves first: 0x3 − 8, 0xf − 8, the rest 8 − 8; then high halves: 0x0 − 8, 0x9 − 8.
    const quants = [0x03, 0x9f, ...Array(14).fill(0x88)];
    const zeros = Array(14).fill(0);
    expect(decode(2, [32], [0x00, 0x40, ...quants])).toEqual([-10, 14, ...zeros, -16, 2, ...zeros]);
  });

  it('decodes Q4_1, block after block', () => {
    const one = [0x00, 0x38, 0x00, 0xbc, 0x21, ...Array(15).fill(0)]; // 0.5 · q − 1
    const two = [0x00, 0x3c, 0x00, 0x00, 0x0f, ...Array(14).fill(0), 0xf0]; // 1 · q + 0
    const expected = [-0.5, ...Array(15).fill(-1), 0, ...Array(15).fill(-1)];
    expected.push(15, ...Array(15).fill(0), ...Array(15).fill(0), 15);
    expect(decode(3, [32, 2], [...one, ...two])).toEqual(expected);
  });

  it('decodes Q8_K, whose sums it does not need', () => {
    const quants = [1, 127, 128, 255, ...Array(252).fill(0)];
    // 0x3f000000 is 0.5 as float32; bytes 128 and 255 are −128 and −1
    const block = [0, 0, 0, 0x3f, ...quants, ...Array(32).fill(0xee)];
    expect(decode(15, [256], block)).toEqual([0.5, 63.5, -64, -0.5, ...Array(252).fill(0)]);
  });

  it('decodes Q4_K: scales and minima of groups 0 and 5', () => {
    const block = new Uint8Array(144);
    block.set([0x00, 0x3c, 0x00, 0x38]); // d = 1, m = 0.5
    // Group 0: scale 3 in byte 0, minimum 2 in byte 4. Group 5: low bits in byte 9 (scale 7, minimum 1), high bits at
    // the top of byte 1 (scale, 2) and of byte 5 (minimum, 1): scale 39, minimum 17.
    block.set([3, 0b10_000000, 0, 0, 2, 0b01_000000, 0, 0, 0, 0x17], 4);
    block[16] = 0x0f; // value 0: 15
    block[16 + 64 + 31] = 0x20; // last value of group 5: 2
    const expected = Array(256).fill(0);
    expected.fill(-1, 0, 32);
    expected[0] = 3 * 15 - 1;
    expected.fill(-8.5, 160, 192);
    expected[191] = 39 * 2 - 8.5;
    expect(decode(12, [256], block)).toEqual(expected);
  });
});

describe('as the gguf package decodes', () => {
  interface Golden {
    readonly bytes: string;
    readonly values: string;
  }
  const golden = JSON.parse(readFileSync(join(packageRoot, 'test/golden/gguf-quants.json'), 'utf8')) as {
    bfloat16: Golden;
    types: Record<string, Golden>;
  };
  const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));
  const floatsOf = (base64: string) => new Float32Array(bytesOf(base64).buffer);

  it.each(Object.keys(golden.types))('%s, bit for bit', (name) => {
    const [number] = [...tensorTypes].find(([, type]) => type.name === name)!;
    const { bytes, values } = golden.types[name]!;
    const expected = [...floatsOf(values)];
    expect(expected).toHaveLength(512);
    expect(decode(number, [256, 2], bytesOf(bytes))).toEqual(expected);
  });

  it('knows every quantised type that is read', () => {
    const plain = ['F32', 'F16', 'BF16'];
    expect(Object.keys(golden.types).sort()).toEqual(
      readableTypes
        .split(', ')
        .filter((name) => !plain.includes(name))
        .sort(),
    );
  });

  it('rounds float32 to bfloat16', () => {
    const { values, bytes } = golden.bfloat16;
    expect([...toBfloat16(floatsOf(values))]).toEqual([...new Uint16Array(bytesOf(bytes).buffer)]);
    const halved = toBfloat16(Float32Array.of(1, Number.NaN).subarray(1));
    expect(decode(30, [1], new Uint8Array(halved.buffer))).toEqual([Number.NaN]);
  });
});
