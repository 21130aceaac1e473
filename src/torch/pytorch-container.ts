/**
 * The two containers torch.save writes: since 1.6 a zip archive with the pickle in `data.pkl` and one stored entry a
 * storage; before, and with `_use_new_zipfile_serialization=False`, five pickles in a row (magic number, version,
 * system, the object, keys of storages) and then the storages. Both give the pickle's value and where its storages lie.
 * Not read: the tar files of PyTorch before 0.2, and TorchScript.
 *
 * Source: torch/serialization.py and caffe2/serialize/inline_container.h of PyTorch.
 */
import { type ByteSource, convertHint, type Fail, printable } from './byte-source.ts';
import { maxPickleBytes, type Unpickled, unpickle } from './pickle.ts';
import { isKind, type PickleValue, type SavedStorage } from './pickle-values.ts';
import { bytesPerElement } from './tensor.ts';
import { readZipDirectory } from './zip.ts';

export interface Container {
  readonly value: PickleValue;
  /** Storage → where its first byte lies in the file. Every storage of the pickle is there, whole. */
  readonly offsets: ReadonlyMap<SavedStorage, number>;
}

const zipSignature = Buffer.from('PK\u0003\u0004');
const magicNumber = 0x1950a86a20f9469cfc6cn;
const magicPickle = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');
const legacyVersion = 1001;

export function readContainer(source: ByteSource, fail: Fail): Container {
  const head = source.read(0, Math.min(source.size, magicPickle.length));
  if (head.subarray(0, zipSignature.length).equals(zipSignature)) return readZip(source, fail);
  if (head.equals(magicPickle)) return readLegacy(source, fail);
  return fail(
    'not a file of torch.save: it begins neither as a zip archive nor with the magic number of the older format',
  );
}

function readZip(source: ByteSource, fail: Fail): Container {
  const entries = readZipDirectory(source, fail);
  const first = entries.keys().next().value ?? '';
  const folder = first.slice(0, first.indexOf('/') + 1);
  const content = (name: string, maxBytes: number) => {
    const entry = entries.get(folder + name);
    if (entry && entry.byteLength > maxBytes) fail(`zip entry ${name} has ${entry.byteLength} bytes`);
    return entry && source.read(entry.byteOffset, entry.byteLength);
  };
  if (content('byteorder', 16)?.toString() === 'big') fail('its values are big-endian', convertHint);
  const pickle = content('data.pkl', maxPickleBytes);
  if (!pickle) return fail('a zip archive, but not of torch.save: it has no data.pkl');
  const { value, storages } = unpickleAll(pickle, fail);
  const offsets = new Map<SavedStorage, number>();
  for (const [key, storage] of storages) {
    const entry = entries.get(`${folder}data/${key}`);
    const bytes = bytesOf(storage);
    if (entry?.byteLength !== bytes) {
      return fail(`storage ${printable(key)} needs ${bytes} bytes, the file has ${entry?.byteLength ?? 'none'}`);
    }
    offsets.set(storage, entry.byteOffset);
  }
  return { value, offsets };
}

function unpickleAll(bytes: Uint8Array, fail: Fail): Unpickled {
  const unpickled = unpickle(bytes, 0, fail);
  if (unpickled.end !== bytes.length) fail(`${bytes.length - unpickled.end} bytes follow the pickle`);
  return unpickled;
}

function readLegacy(source: ByteSource, fail: Fail): Container {
  const head = source.read(0, Math.min(source.size, maxPickleBytes));
  let at = 0;
  const next = () => {
    const unpickled = unpickle(head, at, fail);
    at = unpickled.end;
    return unpickled;
  };
  if (next().value !== magicNumber) fail('not a file of torch.save: the magic number is wrong');
  const version = next().value;
  if (version !== legacyVersion) fail(`version ${legacyVersion} expected of a file without zip archive`);
  const system = next().value;
  if (!isKind(system, 'dict') || system.items.get('little_endian') !== true) {
    fail('its values are not little-endian', convertHint);
  }
  const { value, storages } = next();
  const keys = next().value;
  if (!isKind(keys, 'list')) return fail('its keys of storages are not a list');
  const offsets = new Map<SavedStorage, number>();
  for (const key of keys.items) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (!storage || offsets.has(storage)) return fail('its keys of storages are not those of its tensors');
    const elements = Number(source.read(at, 8).readBigInt64LE());
    if (elements !== storage.elements) {
      fail(`storage ${printable(storage.key)} needs ${storage.elements} elements, the file has ${elements}`);
    }
    const end = at + 8 + bytesOf(storage);
    if (end > source.size) {
      fail(`truncated: storage ${printable(storage.key)} ends at byte ${end}, the file has ${source.size}`);
    }
    offsets.set(storage, at + 8);
    at = end;
  }
  if (offsets.size !== storages.size) fail('a storage of its tensors is missing');
  if (at !== source.size) fail(`oversized: ${source.size - at} bytes follow the last storage`);
  return { value, offsets };
}

const bytesOf = (storage: SavedStorage): number => storage.elements * bytesPerElement[storage.dtype];
