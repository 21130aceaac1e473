import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../../src/base/errors.ts';
import { Rng } from '../../../src/base/rng.ts';
import { type Gguf, openGguf } from '../../../src/model/gguf/reader.ts';
import { float32Bytes, type GgufSpec, ggufBytes, type TensorSpec, text, u32, u64 } from './writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'understudy-gguf-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = join(folder, 'model.gguf');

function open(spec: GgufSpec | Uint8Array): Gguf {
  writeFileSync(file, spec instanceof Uint8Array ? spec : ggufBytes(spec));
  return openGguf(file);
}

const f32 = (name: string, dimensions: readonly number[], values: readonly number[]): TensorSpec => ({
  name,
  dimensions,
  type: 0,
  data: float32Bytes(values),
});

describe('metadata', () => {
  const spec: GgufSpec = {
    metadata: [
      ['a.u8', ['u8', 255]],
      ['a.i8', ['i8', -128]],
      ['a.u16', ['u16', 65535]],
      ['a.i16', ['i16', -32768]],
      ['a.u32', ['u32', 4294967295]],
      ['a.i32', ['i32', -2147483648]],
      ['a.f32', ['f32', 0.5]],
      ['a.f64', ['f64', 0.1]],
      ['a.bool', ['bool', true]],
      ['a.string', ['string', 'Ġ中文 😀']],
      ['a.empty', ['string', '']],
      ['a.u64', ['u64', 12n]],
      ['a.huge', ['u64', 2n ** 64n - 1n]],
      ['a.i64', ['i64', -(2n ** 63n)]],
      ['a.strings', ['array', 'string', ['x', '', 'yz']]],
      ['a.bools', ['array', 'bool', [false, true]]],
      ['a.none', ['array', 'f32', []]],
      [
        'a.nested',
        [
          'array',
          'array',
          [
            ['u8', [1, 2]],
            ['i16', [-3]],
          ],
        ],
      ],
    ],
  };

  it.each([2, 3])('reads every type of value (version %i)', (version) => {
    const gguf = open({ ...spec, version });
    expect(gguf.version).toBe(version);
    expect(Object.fromEntries(gguf.metadata)).toEqual({
      'a.u8': 255,
      'a.i8': -128,
      'a.u16': 65535,
      'a.i16': -32768,
      'a.u32': 4294967295,
      'a.i32': -2147483648,
      'a.f32': 0.5,
      'a.f64': 0.1,
      'a.bool': true,
      'a.string': 'Ġ中文 😀',
      'a.empty': '',
      'a.u64': 12,
      'a.huge': 2n ** 64n - 1n,
      'a.i64': -(2n ** 63n),
      'a.strings': ['x', '', 'yz'],
      'a.bools': [false, true],
      'a.none': [],
      'a.nested': [[1, 2], [-3]],
    });
    expect(gguf.tensors).toEqual([]);
    gguf.close();
  });

  it('reads a string longer than the reading window', () => {
    const long = '0123456789'.repeat(300_000);
    const gguf = open({
      metadata: [
        ['long', ['string', long]],
        ['after', ['u8', 7]],
      ],
    });
    expect(gguf.metadata.get('long')).toBe(long);
    expect(gguf.metadata.get('after')).toBe(7);
    gguf.close();
  });
});

describe('tensors', () => {
  it('lists them row-major, at their place in the file, under any alignment', () => {
    const gguf = open({
      alignment: 64,
      metadata: [['general.alignment', ['u32', 64]]],
      tensors: [f32('first', [3, 2], [1, 2, 3, 4, 5, 6]), f32('second', [2], [-1, 0.25])],
    });
    const [first, second] = gguf.tensors;
    expect(first).toMatchObject({ name: 'first', shape: [2, 3], type: 'F32', byteLength: 24 });
    expect(first!.offset % 64).toBe(0);
    expect(second).toMatchObject({ name: 'second', shape: [2], byteLength: 8, offset: first!.offset + 64 });
    expect([...gguf.readFloat32(first!)]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...gguf.readFloat32(second!)]).toEqual([-1, 0.25]);
    expect(gguf.tensor('second')).toBe(second);
    expect(gguf.tensor('third')).toBeUndefined();
    gguf.close();
    gguf.close();
    expect(() => gguf.readFloat32(first!)).toThrow('is closed');
  });

  it('reads tensors larger than one chunk', () => {
    const numBlocks = 140_000; // 4.76 MB of Q8_0
    const data = new Uint8Array(numBlocks * 34);
    for (let block = 0; block < numBlocks; block++) {
      data[block * 34 + 1] = 0x3c; // scale 1
      data[block * 34 + 2] = block % 100;
      data[block * 34 + 33] = 256 - 1 - (block % 7);
    }
    const gguf = open({ tensors: [{ name: 't', dimensions: [32, numBlocks], type: 8, data }] });
    const values = gguf.readFloat32(gguf.tensors[0]!);
    gguf.close();
    expect(values.length).toBe(numBlocks * 32);
    const wrong = Array.from({ length: numBlocks }, (_, block) => block).filter(
      (block) => values[block * 32] !== block % 100 || values[block * 32 + 31] !== -1 - (block % 7),
    );
    expect(wrong).toEqual([]);
  });

  const readable = 'F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, Q8_K, IQ4_NL, IQ4_XS, BF16';

  it('opens a file with types it cannot decode, and says so when they are read', () => {
    const gguf = open({
      tensors: [{ name: 'big', dimensions: [256], type: 16, data: new Uint8Array(66) }, f32('norm', [1], [3])],
    });
    expect(gguf.tensors[0]).toMatchObject({ type: 'IQ2_XXS', byteLength: 66 });
    expect([...gguf.readFloat32(gguf.tensors[1]!)]).toEqual([3]);
    expect(() => gguf.readFloat32(gguf.tensors[0]!)).toThrow(
      `${file}: big: tensor type IQ2_XXS is not supported; supported: ${readable}`,
    );
    gguf.close();
  });

  it.each([
    [4, 'tensor type Q4_2 is not supported'],
    [31, 'tensor type Q4_0_4_4 is not supported'],
    [99, 'unknown tensor type number 99'],
  ])('refuses a file with type %i, whose size nobody knows', (type, message) => {
    const tensors = [{ name: 'w', dimensions: [32], type, data: new Uint8Array(32) }];
    expect(() => open({ tensors })).toThrow(`${file}: tensor w: ${message}; supported: ${readable}`);
  });
});

describe('broken files', () => {
  const head = (numTensors: bigint, numPairs: bigint) =>
    Buffer.concat([Buffer.from('GGUF'), u32(3), u64(numTensors), u64(numPairs)]);
  const padding = Buffer.alloc(100);
  const entry = (dimensions: readonly bigint[], type = 0, offset = 0n) =>
    Buffer.concat([
      head(1n, 0n),
      text('w'),
      u32(dimensions.length),
      ...dimensions.map(u64),
      u32(type),
      u64(offset),
      padding,
    ]);

  // biome-ignore format: one fault a line
  const faults: [what: string, file: GgufSpec | Uint8Array, message: string][] = [
    ['another magic', { magic: 'PK\u0003\u0004' }, 'expected a GGUF file (it begins with "GGUF"), got "PK\\u0003\\u0004"'],
    ['an empty file', Buffer.alloc(0), 'the header: the file is cut off'],
    ['version 1', { version: 1 }, 'expected GGUF version 2 or 3, got 1'],
    ['big-endian', { version: 0x03000000 }, 'a big-endian GGUF file'],
    ['an absurd tensor count', { tensorCount: 2n ** 62n }, 'tensor count 4611686018427387904 cannot be'],
    ['an absurd metadata count', { metadataCount: 2n ** 40n }, 'metadata count 1099511627776 cannot be'],
    ['a key longer than the file', Buffer.concat([head(0n, 1n), u64(2n ** 50n), padding]), 'length of key 1125899906842624 cannot be'],
    ['a text longer than the file', Buffer.concat([head(0n, 1n), text('k'), u32(8), u64(101n), padding]), 'metadata k: length of text 101 cannot be: 100 bytes'],
    ['an array longer than the file', Buffer.concat([head(0n, 1n), text('k'), u32(9), u32(4), u64(26n), padding]), 'metadata k: array length 26 cannot be'],
    ['arrays in arrays without end', Buffer.concat([head(0n, 1n), text('k'), u32(9), ...Array(9000).fill(Buffer.concat([u32(9), u64(1)]))]), 'metadata k: arrays nested more than 4 deep'],
    ['an unknown value type', Buffer.concat([head(0n, 1n), text('k'), u32(13), padding]), 'metadata k: unknown value type 13'],
    ['a boolean of 2', Buffer.concat([head(0n, 1n), text('k'), u32(7), Buffer.from([2]), padding]), 'metadata k: expected a boolean (0 or 1), got 2'],
    ['text that is not UTF-8', Buffer.concat([head(0n, 1n), text('k'), u32(8), u64(2), Buffer.from([0xc3, 0x28]), padding]), 'metadata k: text is not UTF-8'],
    ['a key twice', { metadata: [['k', ['u8', 1]], ['k', ['u8', 2]]] }, 'metadata k: is there twice'],
    ['an alignment that is no power of two', { metadata: [['general.alignment', ['u32', 48]]] }, 'metadata general.alignment: expected a power of two, got 48'],
    ['an alignment beyond 2^53', { metadata: [['general.alignment', ['u64', 2n ** 60n]]] }, 'expected a power of two, got 1152921504606846976'],
    ['an alignment of zero', { metadata: [['general.alignment', ['u32', 0]]] }, 'expected a power of two, got 0'],
    ['a tensor twice', { tensors: [f32('w', [1], [1]), f32('w', [1], [2])] }, 'tensor w: is there twice'],
    ['no dimensions', entry([]), 'tensor w: expected 1 to 4 dimensions, got 0'],
    ['five dimensions', entry([1n, 1n, 1n, 1n, 1n]), 'tensor w: expected 1 to 4 dimensions, got 5'],
    ['a dimension of zero', entry([4n, 0n]), 'tensor w: a shape of [4, 0] cannot be'],
    ['dimensions whose product overflows', entry([2n ** 32n, 2n ** 32n]), 'tensor w: a shape of [4294967296, 4294967296] cannot be'],
    ['a tensor larger than the file', entry([2n ** 40n]), 'tensor w: ends at'],
    ['an unknown tensor type', entry([1n], 99), 'tensor w: unknown tensor type number 99'],
    ['half a block', entry([40n], 3), 'tensor w: rows of 40 values do not divide into Q4_1 blocks of 32'],
    ['an offset that is not aligned', entry([1n], 0, 4n), 'tensor w: offset 4 is not a multiple of the alignment 32'],
    ['an offset beyond the file', entry([1n], 0, 2n ** 63n), 'tensor w: ends at'],
    ['tensors that overlap', { tensors: [f32('v', [16], Array(16).fill(1)), { ...f32('w', [1], [1]), offset: 32 }] }, 'tensor w: overlaps tensor v'],
    ['tensors at the same place', { tensors: [f32('v', [2], [1, 2]), { ...f32('w', [2], [1, 2]), offset: 0 }] }, 'tensor w: overlaps tensor v'],
  ];

  it.each(faults)('%s', (_, spec, message) => {
    expect(() => open(spec)).toThrow(DataError);
    expect(() => open(spec)).toThrow(`${file}: `);
    expect(() => open(spec)).toThrow(message);
  });

  it('names a file that is not there, and a folder', () => {
    expect(() => openGguf(join(folder, 'nothing.gguf'))).toThrow(ConfigError);
    expect(() => openGguf(folder)).toThrow('expected a file, found a folder');
  });

  const whole = ggufBytes({
    metadata: [
      ['general.name', ['string', 'small']],
      ['list', ['array', 'string', ['a', 'bc']]],
      ['flag', ['bool', false]],
    ],
    tensors: [f32('v', [8], [1, 2, 3, 4, 5, 6, 7, 8]), f32('w', [8], [8, 7, 6, 5, 4, 3, 2, 1])],
  });

  it('is never read as whole when cut anywhere', () => {
    open(whole).close();
    for (let length = 0; length < whole.length; length++)
      expect(() => open(whole.subarray(0, length)), `cut at ${length}`).toThrow(DataError);
  });

  it('with any bytes changed opens or is refused, and nothing else happens', () => {
    const rng = new Rng('gguf fault', 1);
    let refused = 0;
    for (let round = 0; round < 400; round++) {
      const broken = Buffer.from(whole);
      for (let i = 0; i <= rng.int(3); i++) broken[rng.int(whole.length - 64)] = rng.int(256);
      try {
        const gguf = open(broken);
        for (const tensor of gguf.tensors) gguf.readFloat32(tensor);
        gguf.close();
      } catch (error) {
        expect(error).toBeInstanceOf(DataError);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});
