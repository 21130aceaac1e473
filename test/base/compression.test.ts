import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  compressionOf,
  compressionOfName,
  createCompressor,
  createDecompressor,
  decompressAll,
} from '../../src/base/compression.ts';
import { Rng } from '../../src/base/rng.ts';

async function collect(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece as Uint8Array);
  return Buffer.concat(pieces);
}

const pieces = (bytes: Uint8Array, length: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / length) }, (_, i) => bytes.subarray(i * length, (i + 1) * length));

/** Half noise, half repeats: blocks of every kind, more than one frame. */
function sample(length: number): Uint8Array {
  const rng = new Rng('bytes');
  return Uint8Array.from({ length }, (_, i) => (i < length / 2 ? rng.int(256) : i % 7));
}

describe.each(['gzip', 'zstd'] as const)('%s', (kind) => {
  test.each([0, 1, 100_000, 9_000_000])('%d bytes are read back as they were, whole and in pieces', async (length) => {
    const bytes = sample(length);
    const packed = await collect(Readable.from(pieces(bytes, 70_001)).pipe(await createCompressor(kind)));
    expect(compressionOf(packed.subarray(0, 4))).toBe(kind);
    expect(Buffer.from(decompressAll(packed, kind)).equals(bytes)).toBe(true);
    for (const step of length > 1e6 ? [65_536] : [65_536, 7]) {
      const unpacked = await collect(Readable.from(pieces(packed, step)).pipe(createDecompressor(kind)));
      expect(unpacked.equals(bytes)).toBe(true);
    }
  });

  test('a file that was cut off is an error, not a shorter text', async () => {
    const packed = await collect(Readable.from([sample(50_000)]).pipe(await createCompressor(kind)));
    for (const cut of [1, 20, packed.length >> 1]) {
      const short = packed.subarray(0, packed.length - cut);
      expect(() => decompressAll(short, kind)).toThrow();
      await expect(collect(Readable.from([short]).pipe(createDecompressor(kind)))).rejects.toThrow();
    }
  });
});

test('several frames after one another are one text', async () => {
  const two = Buffer.concat([gzipSync('one '), gzipSync('two')]);
  expect(Buffer.from(decompressAll(two, 'gzip')).toString()).toBe('one two');
});

test('zstd as the command line tool writes it: frames with a checksum and without', () => {
  // printf 'a row\n' | zstd [--no-check] | base64
  for (const base64 of ['KLUv/QRYMQAAYSByb3cKMy93NA==', 'KLUv/QBYMQAAYSByb3cK'])
    expect(Buffer.from(decompressAll(Buffer.from(base64, 'base64'), 'zstd')).toString()).toBe('a row\n');
});

test('names and first bytes', () => {
  expect(['a.json.gz', 'a.zst', 'A.ZSTD', 'a.json'].map(compressionOfName)).toEqual([
    'gzip',
    'zstd',
    'zstd',
    undefined,
  ]);
  expect([Buffer.from('[{"a"'), Buffer.from([0x1f]), Buffer.alloc(0)].map(compressionOf)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
