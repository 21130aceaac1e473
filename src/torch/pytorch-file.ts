/**
 * PyTorch's own weight files (`pytorch_model.bin`, its shards, `adapter_model.bin`) by memory map, without Python and
 * without running anything: the pickle inside is read as data, and a name it may not use is an error (pickle.ts).
 * Accepted is a state dict: a dict of tensors, or a dict that holds one under `state_dict` or `model`. Plain numbers and
 * texts beside the tensors are left out and listed; anything else there is an error.
 */
import { DataError, type DataIssue } from '../base/errors.ts';
import { addon } from '../native/load.ts';
import { convertHint, type Fail, printable, readBytes } from './byte-source.ts';
import { tensorOperator } from './operator.ts';
import { contiguous } from './ops.ts';
import {
  describe,
  isKind,
  type PickleDict,
  type PickleValue,
  type SavedStorage,
  type SavedTensor,
} from './pickle-values.ts';
import { type Container, readContainer } from './pytorch-container.ts';
import { bytesPerElement, scope, Tensor } from './tensor.ts';
import type { TensorEntry, TensorFile } from './tensor-file.ts';

export interface PytorchFile extends TensorFile {
  readonly entries: ReadonlyMap<string, PytorchEntry>;
  /** Members that are plain numbers or texts and therefore left out. Whoever opens the file says so. */
  readonly ignored: readonly string[];
}

export interface PytorchEntry extends TensorEntry {
  /** In elements; undefined where the values follow one another. */
  readonly strides: readonly number[] | undefined;
  /** Other entries lie in the same storage, perhaps on the same bytes. */
  readonly shared: boolean;
}

const asStrided = tensorOperator<[Tensor, readonly number[], readonly number[], number]>('aten::as_strided');

export function openPytorchFile(file: string): PytorchFile {
  const { entries, ignored } = readPytorchEntries(file);
  const map = entries.size > 0 ? addon().mapFile(file) : undefined;
  return {
    file,
    entries,
    ignored,
    tensor(name) {
      const entry = entries.get(name);
      if (!entry || map === undefined) throw new DataError(file, { message: `no tensor named ${name}` });
      if (entry.strides) return gather(map, entry, entry.strides);
      if (!entry.shared) return new Tensor(addon().fromFile(map, entry.byteOffset, entry.dtype, entry.shape));
      // A mapping of its own: what changes this tensor must not change another one of the same storage.
      const own = addon().mapFile(file);
      try {
        return new Tensor(addon().fromFile(own, entry.byteOffset, entry.dtype, entry.shape));
      } finally {
        addon().unmapFile(own);
      }
    },
    close() {
      if (map !== undefined) addon().unmapFile(map);
    },
  };
}

/** Values that do not follow one another, copied into their order. */
const gather = (map: number, { byteOffset, dtype, shape }: PytorchEntry, strides: readonly number[]): Tensor =>
  scope(() => {
    const span = new Tensor(addon().fromFile(map, byteOffset, dtype, [elementsSpanned(shape, strides)]));
    return contiguous(asStrided(span, shape, strides, 0));
  });

/** Reads and validates all but the values; libtorch is not needed. */
export const readPytorchEntries = (file: string): Pick<PytorchFile, 'entries' | 'ignored'> =>
  readBytes(file, (source, fail) => entriesOf(readContainer(source, fail), file, fail));

function entriesOf({ value, offsets }: Container, file: string, fail: Fail): Pick<PytorchFile, 'entries' | 'ignored'> {
  const { tensors, ignored } = stateDictOf(value, file, fail);
  const users = new Map<SavedStorage, number>();
  for (const { storage } of tensors.values()) users.set(storage, (users.get(storage) ?? 0) + 1);
  const entries = new Map<string, PytorchEntry>();
  for (const [name, tensor] of tensors) {
    const start = offsets.get(tensor.storage) as number;
    entries.set(name, entryOf(name, tensor, start, (users.get(tensor.storage) ?? 0) > 1, fail));
  }
  return { entries, ignored };
}

/** Every member that is neither a tensor nor plain is named at once. */
function stateDictOf(value: PickleValue, file: string, fail: Fail) {
  if (!isKind(value, 'dict')) return fail(`expected a dict of tensors, found ${describe(value)}`, convertHint);
  const wrapper = ['state_dict', 'model'].find((key) => isKind(value.items.get(key), 'dict'));
  const members = wrapper === undefined ? value.items : (value.items.get(wrapper) as PickleDict).items;
  const tensors = new Map<string, SavedTensor>();
  const ignored: string[] = [];
  const issues: DataIssue[] = [];
  const leaveOut = (key: string | number, member: PickleValue, expected: string) => {
    if (['number', 'bigint', 'boolean', 'string'].includes(typeof member)) ignored.push(String(key));
    else issues.push({ path: printable(String(key)), message: `expected ${expected}, found ${describe(member)}` });
  };
  for (const [key, member] of members) {
    if (typeof key === 'string' && isKind(member, 'tensor')) tensors.set(key, member);
    else leaveOut(key, member, 'a tensor under a name');
  }
  for (const [key, member] of value.items) {
    if (wrapper !== undefined && key !== wrapper) leaveOut(key, member, `a plain number or text beside ${wrapper}`);
  }
  if (issues.length > 0) throw new DataError(file, issues, { hint: convertHint });
  return { tensors, ignored };
}

function entryOf(name: string, tensor: SavedTensor, start: number, shared: boolean, fail: Fail): PytorchEntry {
  const { storage, offset, shape, strides } = tensor;
  const { dtype } = storage;
  const elements = shape.reduce((product, length) => product * length, 1);
  const refuse = (what: string, hint?: string) =>
    fail(`tensor ${printable(name)}: [${shape.join(', ')}] ${what}`, hint);
  // A zero among the sizes makes the product 0; libtorch multiplies the others all the same.
  if (shape.reduce((product, length) => product * Math.max(1, length), 1) > Number.MAX_SAFE_INTEGER)
    refuse('is absurd');
  const end = offset + elementsSpanned(shape, strides);
  if (end > storage.elements) {
    refuse(`${dtype} needs ${end} elements of its storage, which has ${storage.elements}`);
  }
  // An expanded tensor names a value many times: a small file could ask for any amount of memory.
  if (elements > storage.elements) refuse(`repeats the ${storage.elements} values of its storage`, convertHint);
  const size = bytesPerElement[dtype];
  return {
    name,
    dtype,
    shape,
    byteOffset: start + offset * size,
    byteLength: elements * size,
    strides: isContiguous(shape, strides) ? undefined : strides,
    shared,
  };
}

/** From the first value to the last, both counted. */
function elementsSpanned(shape: readonly number[], strides: readonly number[]): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((span, length, i) => span + (length - 1) * (strides[i] as number), 1);
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.includes(0)) return true;
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    const length = shape[i] as number;
    // The stride of a dimension of one is never used.
    if (length !== 1 && strides[i] !== expected) return false;
    expected *= length;
  }
  return true;
}
