import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/base/errors.ts';
import { toBytes, toFloat64 } from '../../src/torch/convert.ts';
import { addInto } from '../../src/torch/ops.ts';
import { openPytorchFile, readPytorchEntries } from '../../src/torch/pytorch-file.ts';
import { liveTensors, scope } from '../../src/torch/tensor.ts';
import { code, dict, int, int64, list, pickle, storage, tensor, text, type ZipPart, zip } from './pytorch-writer.ts';

const golden = join(import.meta.dirname, '../golden/pickle');
const folder = mkdtempSync(join(tmpdir(), 'understudy-pytorch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let made = 0;
function file(content: Uint8Array): string {
  const path = join(folder, `${made++}.bin`);
  writeFileSync(path, content);
  return path;
}

interface Expected {
  readonly dtype: string;
  readonly shape: number[];
  readonly values: (number | boolean)[];
}
const expected = JSON.parse(readFileSync(join(golden, 'values.json'), 'utf8')) as Record<string, Expected>;

const floats = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);
/** An archive as torch.save makes it: one float32 storage, called 0. */
const archive = (data: Buffer, values: Buffer, ...more: ZipPart[]): ZipPart[] => [
  { name: 'archive/data.pkl', content: data },
  { name: 'archive/byteorder', content: Buffer.from('little') },
  { name: 'archive/data/0', content: values },
  ...more,
];
const state = (...members: [string, Buffer][]) =>
  pickle(dict(...members.map(([key, value]) => [text(key), value] as [Buffer, Buffer])));
const two = tensor(storage('0', 2), [2], [1]);

describe('PyTorch files', () => {
  it.each(['zip.bin', 'legacy.bin'])('reads every tensor of %s as PyTorch does, and never changes the file', (name) => {
    const path = join(golden, name);
    const before = liveTensors();
    const bytes = readFileSync(path);
    scope(() => {
      const opened = openPytorchFile(path);
      expect([...opened.entries.keys()]).toEqual(Object.keys(expected));
      expect(opened.ignored).toEqual(['layers', 'big', 'scale', 'note']);
      const tensors = Object.keys(expected).map((key) => [key, opened.tensor(key)] as const);
      expect(() => opened.tensor('nothing')).toThrow('no tensor named nothing');
      opened.close();
      for (const [key, tensor] of tensors) {
        const { dtype, shape, values } = expected[key] as Expected;
        expect([key, opened.entries.get(key)?.dtype, opened.entries.get(key)?.shape]).toEqual([key, dtype, shape]);
        expect([key, tensor.dtype, tensor.shape]).toEqual([key, dtype, shape]);
        expect([key, ...toFloat64(tensor)]).toEqual([key, ...values.map(Number)]);
      }
      for (const [, tensor] of tensors.filter(([key]) => expected[key]?.dtype === 'float32')) addInto(tensor, tensor);
    });
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(liveTensors()).toBe(before);
  });

  it.each(['zip.bin', 'legacy.bin'])(
    'tensors of one storage in %s are apart: changing one leaves the others',
    (name) => {
      scope(() => {
        const opened = openPytorchFile(join(golden, name));
        const embed = opened.tensor('embed.weight');
        const head = opened.tensor('lm_head.weight');
        const plain = opened.tensor('fp32');
        const transposed = opened.tensor('transposed');
        addInto(embed, embed);
        addInto(plain, plain);
        opened.close();
        expect([...toFloat64(embed)]).toEqual(expected['embed.weight']?.values.map((value) => 2 * Number(value)));
        expect([...toFloat64(head)]).toEqual(expected['lm_head.weight']?.values);
        expect([...toFloat64(transposed)]).toEqual(expected['transposed']?.values);
      });
    },
  );

  it('says where the values lie', () => {
    const { entries } = readPytorchEntries(join(golden, 'zip.bin'));
    const bytes = readFileSync(join(golden, 'zip.bin'));
    const { byteOffset, byteLength, strides, shared } = entries.get('tail') as NonNullable<
      ReturnType<typeof entries.get>
    >;
    expect([
      ...new Float32Array(
        bytes.buffer.slice(bytes.byteOffset + byteOffset, bytes.byteOffset + byteOffset + byteLength),
      ),
    ]).toEqual([9, 10.5, 12, 13.5]);
    expect([strides, shared]).toEqual([undefined, true]);
    expect(entries.get('transposed')?.strides).toEqual([1, 4]);
    expect(entries.get('bf16')?.shared).toBe(false);
    expect(entries.get('bf16')?.byteLength).toBe(20);
    expect((entries.get('bf16')?.byteOffset ?? 1) % 64).toBe(0);
  });

  it('reads a state dict under state_dict or model, with numbers and texts beside it', () => {
    scope(() => {
      const opened = openPytorchFile(join(golden, 'nested.bin'));
      expect([...opened.entries.keys()]).toEqual(['a']);
      expect(opened.ignored).toEqual(['epoch', 'note', 'done']);
      expect([...toFloat64(opened.tensor('a'))]).toEqual(expected['fp32']?.values);
      opened.close();
    });
    const model = pickle(dict([text('model'), dict([text('w'), two])]));
    expect([...readPytorchEntries(file(zip(archive(model, floats(1, 2))))).entries.keys()]).toEqual(['w']);
  });

  it('reads a file without tensors', () => {
    const opened = openPytorchFile(file(zip(archive(pickle('}'), Buffer.alloc(0)))));
    expect(opened.entries.size).toBe(0);
    opened.close();
  });

  it.each([
    ['a zip64 archive', zip(archive(state(['w', two]), floats(3, 4)), { wide: true })],
    ['a zip archive with a comment', zip(archive(state(['w', two]), floats(3, 4)), { comment: 'made by hand' })],
  ])('reads %s', (_name, content) => {
    scope(() => {
      const opened = openPytorchFile(file(content));
      expect([...toFloat64(opened.tensor('w'))]).toEqual([3, 4]);
      opened.close();
    });
  });

  it('reads storages at odd addresses', () => {
    const addresses = [0, 1, 2, 3].map((length) =>
      scope(() => {
        const before = { name: 'archive/x', content: Buffer.alloc(length) };
        const opened = openPytorchFile(file(zip([before, ...archive(state(['w', two]), floats(3, 4))])));
        expect([...toFloat64(opened.tensor('w'))]).toEqual([3, 4]);
        opened.close();
        return (opened.entries.get('w')?.byteOffset ?? 0) % 4;
      }),
    );
    expect(addresses.sort()).toEqual([0, 1, 2, 3]);
  });

  it.each(['malicious.bin', 'malicious-legacy.bin'])('refuses %s by the name of what it would run', (name) => {
    const path = join(golden, name);
    expect(readFileSync(path).includes('echo this must never run')).toBe(true);
    expect(() => openPytorchFile(path)).toThrow(`${path}: this file wants to run os.system: refused`);
    expect(() => openPytorchFile(path)).toThrow(DataError);
  });

  const good = zip(archive(state(['w', two]), floats(1, 2)));
  const legacy = readFileSync(join(golden, 'legacy.bin'));
  const zipWith = (member: Buffer, ...more: ZipPart[]) => zip(archive(state(['w', member]), floats(1, 2), ...more));
  const changed = (bytes: Buffer, at: number, value: number) => {
    const copy = Buffer.from(bytes);
    copy[at] = value;
    return copy;
  };
  it.each<[string, Buffer, RegExp]>([
    ['of no bytes', Buffer.alloc(0), /not a file of torch.save/],
    [
      'that is a git-lfs pointer',
      Buffer.from('version https://git-lfs.github.com/spec/v1\n'),
      /not a file of torch.save/,
    ],
    ['whose end is missing', good.subarray(0, -1), /truncated: a zip archive ends with its directory/],
    ['cut inside a storage', legacy.subarray(0, -1), /truncated: storage \d+ ends at byte \d+, the file has \d+/],
    ['with more behind its storages', Buffer.concat([legacy, Buffer.of(0)]), /oversized: 1 bytes follow/],
    ['of another system', changed(legacy, legacy.indexOf('little_endian') + 15, 0x89), /not little-endian/],
    ['of another version', changed(legacy, 18, 0xea), /version 1001 expected/],
    [
      'that is compressed',
      zip([{ name: 'a/data.pkl', content: state(['w', two]), method: 'deflated' }]),
      /zip entry a\/data.pkl is compressed: only stored ones/,
    ],
    ['that is encrypted', zip([{ name: 'a/data.pkl', content: Buffer.of(1), encrypted: true }]), /is encrypted/],
    ['without a pickle', zip([{ name: 'word/document.xml', content: Buffer.of(1) }]), /it has no data.pkl/],
    [
      'with an entry twice',
      zipWith(two, { name: 'archive/data/0', content: floats(3, 4) }),
      /duplicate name: two zip entries are called archive\/data\/0/,
    ],
    [
      'with an entry under another name',
      zipWith(two, { name: 'archive/x', localName: 'archive/y', content: Buffer.alloc(0) }),
      /zip entry archive\/x is called archive\/y in its own header/,
    ],
    [
      'with an entry elsewhere',
      changed(good, good.lastIndexOf('archive/data/0') - 4, 1),
      /archive\/data\/0 is not where/,
    ],
    [
      'with one entry inside another',
      zip([
        { name: 'a/data.pkl', content: zip([{ name: 'a/y', content: Buffer.of(1) }]) },
        { name: 'a/y', content: Buffer.of(1), offset: 30 + 'a/data.pkl'.length },
      ]),
      /zip entry a\/y overlaps the one before it/,
    ],
    [
      'with an entry that reaches into its directory',
      [22, 26].reduce((bytes, before) => changed(bytes, bytes.lastIndexOf('archive/data/0') - before, 99), good),
      /zip entry archive\/data\/0 reaches into the zip directory/,
    ],
    [
      'with fewer entries than its directory',
      changed(good, good.length - 12, 1),
      /its zip directory holds \d+ bytes more/,
    ],
    ['in several parts', changed(good, good.length - 18, 1), /in several parts/],
    ['with more entries than its directory', changed(good, good.length - 12, 9), /its zip directory is damaged/],
    ['of big-endian values', zip([{ name: 'a/byteorder', content: Buffer.from('big') }]), /big-endian/],
    [
      'with bytes behind the pickle',
      zip([{ name: 'a/data.pkl', content: code(pickle('}'), 'x') }]),
      /1 bytes follow the pickle/,
    ],
    ['that lacks a storage', zipWith(tensor(storage('7', 2), [2], [1])), /storage 7 needs 8 bytes, the file has none/],
    ['of a short storage', zipWith(tensor(storage('0', 3), [2], [1])), /storage 0 needs 12 bytes, the file has 8/],
    [
      'of a tensor beyond its storage',
      zipWith(tensor(storage('0', 2), [2], [1], 1)),
      /tensor w: \[2\] float32 needs 3 elements .* has 2/,
    ],
    [
      'of strides beyond the storage',
      zipWith(tensor(storage('0', 2), [2], [2])),
      /tensor w: \[2\] float32 needs 3 elements/,
    ],
    ['of an empty tensor beyond its storage', zipWith(tensor(storage('0', 2), [0], [1], 3)), /needs 3 elements/],
    [
      'that repeats one value',
      zipWith(tensor(storage('0', 2), [9, 2], [0, 1])),
      /tensor w: \[9, 2\] repeats the 2 values/,
    ],
    ['of an absurd shape', zipWith(tensor(storage('0', 2), [0, 2 ** 30, 2 ** 30], [1, 1, 1])), /is absurd/],
    ['that is a list', zip(archive(pickle(list(two)), floats(1, 2))), /expected a dict of tensors, found a list/],
    ['with a list among the tensors', zipWith(list()), /: w: expected a tensor under a name, found a list/],
    ['with None among the tensors', zipWith(code('N')), /: w: expected a tensor under a name, found None/],
    [
      'with a tensor under a number',
      zip(archive(pickle(dict([int(5), two])), floats(1, 2))),
      /: 5: expected a tensor under a name, found a tensor/,
    ],
    [
      'of a whole training state',
      zip(
        archive(
          pickle(dict([text('model'), dict([text('w'), two])], [text('optimizer'), dict()], [text('x'), two])),
          floats(1, 2),
        ),
      ),
      /optimizer: expected a plain number or text beside model, found a dict\n.*: x: expected .* found a tensor/,
    ],
    ['of a name twice', zip(archive(state(['w', two], ['w', two]), floats(1, 2))), /duplicate name: w stands twice/],
    [
      'of keys that are no storages',
      Buffer.concat([legacyHead(), pickle(state0()), pickle(list(text('1'))), int64(2), floats(1, 2)]),
      /its keys of storages are not those of its tensors/,
    ],
    [
      'of too few storages',
      Buffer.concat([legacyHead(), pickle(state0()), pickle(list())]),
      /a storage of its tensors is missing/,
    ],
    [
      'of a storage with another length',
      Buffer.concat([legacyHead(), pickle(state0()), pickle(list(text('0'))), int64(1), floats(1)]),
      /storage 0 needs 2 elements, the file has 1/,
    ],
  ])('rejects a file %s', (_name, content, message) => {
    const path = file(content);
    expect(() => openPytorchFile(path)).toThrow(message);
    expect(() => openPytorchFile(path)).toThrow(DataError);
    expect(() => openPytorchFile(path)).toThrow(path);
  });

  it('rejects a file that does not exist, and a folder', () => {
    expect(() => openPytorchFile(join(folder, 'absent'))).toThrow(/no such file/);
    expect(() => openPytorchFile(folder)).toThrow(/expected a file, found a folder/);
  });

  describe.each([
    ['zip.bin', readFileSync(join(golden, 'zip.bin'))],
    ['legacy.bin', legacy],
    ['a zip64 archive', zip(archive(state(['w', two]), floats(3, 4)), { wide: true })],
  ])('%s', (_name, whole) => {
    it('cut anywhere is a DataError', () => {
      const path = file(whole);
      for (let length = whole.length - 1; length >= 0; length--) {
        truncateSync(path, length);
        if (attempt(() => readPytorchEntries(path))) throw new Error(`opened with ${length} bytes`);
      }
    });

    it('with any byte changed opens, and gives all its tensors, or is a DataError', () => {
      const path = file(whole);
      const handle = openSync(path, 'r+');
      let opened = 0;
      const layoutOf = () => JSON.stringify([...readPytorchEntries(path).entries]);
      const intact = layoutOf();
      for (let at = 0; at < whole.length; at++) {
        for (const mask of [0xff, 1 << (at % 8)]) {
          writeSync(handle, Buffer.of((whole[at] as number) ^ mask), 0, 1, at);
          const worked = attempt(() => {
            if (layoutOf() !== intact) scope(() => readAll(path));
          });
          opened += Number(worked);
        }
        writeSync(handle, whole, at, 1, at);
      }
      closeSync(handle);
      expect(opened).toBeGreaterThan(whole.length / 10);
      expect(opened).toBeLessThan(2 * whole.length);
    });
  });
});

/** Whether it worked; false for a DataError, and anything else is thrown on. */
function attempt(read: () => void): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof DataError) return false;
    throw error;
  }
}

function readAll(path: string): void {
  const opened = openPytorchFile(path);
  try {
    for (const { name, byteLength } of opened.entries.values()) {
      if (toBytes(opened.tensor(name)).byteLength !== byteLength) throw new Error(`tensor ${name} has another length`);
    }
  } finally {
    opened.close();
  }
}

/** Magic number, version and system of the older format. */
function legacyHead(): Buffer {
  const magic = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');
  return Buffer.concat([magic, pickle(int(1001)), pickle(dict([text('little_endian'), code(0x88)]))]);
}

function state0(): Buffer {
  return dict([text('w'), tensor(storage('0', 2), [2], [1])]);
}
