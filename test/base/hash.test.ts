import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonicalJson, sha256, sha256File } from '../../src/base/hash.ts';

describe('canonicalJson', () => {
  it('sorts keys at every depth, writes no white space and leaves undefined members out', () => {
    const value = { b: [1, { d: null, c: true }], a: 'x', z: undefined };
    expect(canonicalJson(value)).toBe('{"a":"x","b":[1,{"c":true,"d":null}]}');
    expect(canonicalJson({})).toBe('{}');
    expect(canonicalJson([])).toBe('[]');
  });

  it('does not depend on the order in which members were written', () => {
    expect(canonicalJson({ x: 1, y: { p: 1, q: 2 } })).toBe(canonicalJson({ y: { q: 2, p: 1 }, x: 1 }));
    expect(canonicalJson([1, 2])).not.toBe(canonicalJson([2, 1]));
  });

  it('sorts by code units, not by locale', () => {
    expect(canonicalJson({ é: 1, z: 2, Z: 3, 10: 4, 9: 5 })).toBe('{"10":4,"9":5,"Z":3,"z":2,"é":1}');
  });

  it('is JSON that reads back as the same', () => {
    const value = { text: 'line\n"quoted" \u2028 🙂 \ud800', numbers: [0, -1.5, 1e21, 1e-7], nothing: null };
    expect(JSON.parse(canonicalJson(value))).toEqual(value);
    expect(canonicalJson(-0)).toBe('0');
  });

  it('refuses what JSON cannot hold, instead of hashing it like something else', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) expect(() => canonicalJson(value)).toThrow(/finite/);
    for (const value of [undefined, 1n, () => 1, [undefined], new Array(2)]) {
      expect(() => canonicalJson(value)).toThrow(/cannot write a/);
    }
    expect(() => canonicalJson({ at: new Date(0) })).toThrow('cannot write a Date');
    expect(() => canonicalJson(new Map([[1, 2]]))).toThrow('cannot write a Map');
    expect(() => canonicalJson([new Uint8Array(2)])).toThrow('cannot write a Uint8Array');
    expect(canonicalJson(Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}');
  });
});

describe('sha256', () => {
  it('has the digests of the standard (FIPS 180-2, "abc") and of the empty string', () => {
    expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(sha256('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  it('hashes bytes as they are and other values as canonical JSON', () => {
    expect(sha256(new Uint8Array([0x61, 0x62, 0x63]))).toBe(sha256('abc'));
    expect(sha256({ b: 1, a: 2 })).toBe(sha256('{"a":2,"b":1}'));
    expect(sha256('中')).toBe(
      createHash('sha256')
        .update(Buffer.from([0xe4, 0xb8, 0xad]))
        .digest('hex'),
    );
  });

  it('hashes files, larger than one chunk too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hash-'));
    const content = 'x'.repeat(300_000);
    writeFileSync(join(folder, 'f'), content);
    expect(await sha256File(join(folder, 'f'))).toBe(sha256(content));
    await expect(sha256File(join(folder, 'none'))).rejects.toThrow(/ENOENT/);
    rmSync(folder, { recursive: true });
  });
});
