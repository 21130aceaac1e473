import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fromFloat32, fromIntegers, toFloat32, toIntegers } from '../../src/torch/convert.ts';
import { addInto, toDtype } from '../../src/torch/ops.ts';
import { openSafetensors, readHeader, sourceOf, writeSafetensors } from '../../src/torch/safetensors.ts';
import { liveTensors, scope } from '../../src/torch/tensor.ts';

const folder = mkdtempSync(join(tmpdir(), 'understudy-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function raw(name: string, content: Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

function file(header: unknown, data: Uint8Array, name = 'x.safetensors'): string {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.byteLength));
  return raw(name, Buffer.concat([length, json, data]));
}

describe('safetensors', () => {
  it('reads what it wrote, and changes no file through a mapped tensor', () => {
    const path = join(folder, 'whole.safetensors');
    const before = liveTensors();
    scope(() => {
      const a = fromFloat32([1, 2, 3, 4, 5, 6], [2, 3]);
      const tensors = { a, half: toDtype(a, 'bfloat16'), ids: fromIntegers([7, 8], [2]), scalar: fromFloat32([9], []) };
      writeSafetensors(path, new Map(Object.entries(tensors).map(([name, tensor]) => [name, sourceOf(tensor)])), {
        made: 'here',
      });
    });
    const bytes = readFileSync(path);
    scope(() => {
      const opened = openSafetensors(path);
      expect([...opened.entries.keys()]).toEqual(['a', 'half', 'ids', 'scalar']);
      expect(opened.metadata).toEqual({ made: 'here' });
      const a = opened.tensor('a');
      expect([a.shape, a.dtype]).toEqual([[2, 3], 'float32']);
      expect(opened.tensor('half').dtype).toBe('bfloat16');
      expect(toIntegers(opened.tensor('ids'))).toEqual([7, 8]);
      expect(opened.tensor('scalar').shape).toEqual([]);
      opened.close();
      addInto(a, a);
      expect(Array.from(toFloat32(a))).toEqual([2, 4, 6, 8, 10, 12]);
      expect(() => opened.tensor('nothing')).toThrow('no tensor named nothing');
    });
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(liveTensors()).toBe(before);
  });

  const entry = (begin: number, end: number, shape = [2], dtype = 'F32') => ({
    dtype,
    shape,
    data_offsets: [begin, end],
  });
  const cases: [string, () => string, RegExp][] = [
    ['shorter than its length field', () => raw('s', Buffer.from('abc')), /truncated: .* at least 8 bytes/],
    [
      'cut inside the header',
      () => {
        const f = file({ a: entry(0, 8) }, new Uint8Array(8));
        truncateSync(f, 20);
        return f;
      },
      /truncated: the header alone/,
    ],
    ['cut inside the data', () => file({ a: entry(0, 8) }, new Uint8Array(5)), /truncated: tensor a ends/],
    ['oversized', () => file({ a: entry(0, 8) }, new Uint8Array(12)), /oversized: 4 bytes follow/],
    ['overlapping', () => file({ a: entry(0, 8), b: entry(4, 12) }, new Uint8Array(12)), /tensor b overlaps/],
    [
      'with a hole',
      () => file({ a: entry(0, 8), b: entry(12, 20) }, new Uint8Array(20)),
      /4 unexplained bytes before tensor b/,
    ],
    [
      'of an unknown dtype',
      () => file({ a: entry(0, 8, [2], 'F33') }, new Uint8Array(8)),
      /tensor a: unknown dtype "F33"/,
    ],
    [
      'of the wrong dtype for its bytes',
      () => file({ a: entry(0, 8, [2], 'F64') }, new Uint8Array(8)),
      /tensor a: \[2\] F64 needs 16 bytes/,
    ],
    ['with a negative size', () => file({ a: entry(0, 8, [-2]) }, new Uint8Array(8)), /tensor a: expected a shape/],
    ['with offsets backwards', () => file({ a: entry(8, 0) }, new Uint8Array(8)), /data_offsets \[begin, end\]/],
    ['not JSON', () => file('{"a":', new Uint8Array(8)), /its header is not JSON/],
    ['of an absurd header', () => raw('h', Buffer.alloc(64, 0xff)), /not a safetensors file/],
    ['that does not exist', () => join(folder, 'absent'), /no such file/],
  ];
  it.each(cases)('rejects a file %s', (_name, make, message) => {
    const path = make();
    expect(() => readHeader(path)).toThrow(message);
    expect(() => readHeader(path)).toThrow(path);
  });
});
