/**
 * What a pickle of weights may hold, and the few names of Python it may use to build it. Everything else is refused by
 * its name: nothing here looks a name up anywhere but in these tables, so there is nothing that a file could run.
 *
 * Source: torch/_utils.py and torch/serialization.py of PyTorch for the meaning of the arguments.
 */
import { convertHint, type Fail, printable } from './byte-source.ts';
import { bytesPerElement, type Dtype } from './tensor.ts';

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleSequence
  | PickleDict
  | SavedStorage
  | SavedTensor
  | PickleGlobal;

export interface PickleSequence {
  readonly kind: 'list' | 'tuple';
  readonly items: PickleValue[];
}

/** A dict or OrderedDict. */
export interface PickleDict {
  readonly kind: 'dict';
  readonly items: Map<string | number, PickleValue>;
}

/** Values of one type side by side; where they lie in the file is for the container to say. */
export interface SavedStorage {
  readonly kind: 'storage';
  readonly key: string;
  readonly dtype: Dtype;
  readonly elements: number;
}

/** A view of a storage. Offset and strides count elements; whether it lies inside is for the reader to check. */
export interface SavedTensor {
  readonly kind: 'tensor';
  readonly storage: SavedStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** A name that may stand in the file: something of `callables`, a storage's type, or a dtype. */
export interface PickleGlobal {
  readonly kind: 'global';
  readonly name: string;
}

/** What building a value may use: `charge` counts items copied, so that a small file cannot grow without end. */
export interface Building {
  readonly fail: Fail;
  readonly charge: (items: number) => void;
}

const storageDtypes: ReadonlyMap<string, Dtype> = new Map([
  ['torch.DoubleStorage', 'float64'],
  ['torch.FloatStorage', 'float32'],
  ['torch.HalfStorage', 'float16'],
  ['torch.BFloat16Storage', 'bfloat16'],
  ['torch.LongStorage', 'int64'],
  ['torch.IntStorage', 'int32'],
  ['torch.ShortStorage', 'int16'],
  ['torch.CharStorage', 'int8'],
  ['torch.ByteStorage', 'uint8'],
  ['torch.BoolStorage', 'bool'],
]);

/** Where Python keeps it → the name people know it by. Python 3 itself reads `__builtin__` as `builtins`. */
const knownAs: ReadonlyMap<string, string> = new Map([
  ['posix', 'os'],
  ['nt', 'os'],
  ['__builtin__', 'builtins'],
]);

/** libtorch's own limit for most operators. */
const maxDimensions = 64;

type Callable = (args: readonly PickleValue[], building: Building) => PickleValue;

const callables: ReadonlyMap<string, Callable> = new Map<string, Callable>([
  ['collections.OrderedDict', orderedDict],
  ['torch._utils._rebuild_tensor_v2', rebuildTensor],
  ['torch._utils._rebuild_parameter', rebuildParameter],
  ['torch.Size', size],
  // Protocol 2 has no opcode for bytes: Python writes them as one of these two calls.
  ['_codecs.encode', encode],
  [
    'builtins.bytes',
    (args, { fail }) => (args.length === 0 ? new Uint8Array() : fail('bytes is called with arguments')),
  ],
]);

export function findGlobal(module: string, name: string, fail: Fail): PickleGlobal {
  const full = `${knownAs.get(module) ?? module}.${name}`;
  const isDtype = full.startsWith('torch.') && Object.hasOwn(bytesPerElement, full.slice('torch.'.length));
  if (callables.has(full) || storageDtypes.has(full) || isDtype) return { kind: 'global', name: full };
  return fail(`this file wants to run ${printable(full)}: refused`, convertHint);
}

export function callGlobal(callee: PickleValue, args: PickleValue, building: Building): PickleValue {
  const callable = isKind(callee, 'global') ? callables.get(callee.name) : undefined;
  if (!callable || !isKind(args, 'tuple')) return building.fail(`a call of ${describe(callee)}, which is no function`);
  return callable(args.items, building);
}

/** `('storage', type, key, location, elements)`; files before the zip container add a sixth member. */
export function storageOf(id: PickleValue, fail: Fail): SavedStorage {
  const parts = isKind(id, 'tuple') ? id.items : [];
  const [tag, type, key, location, elements, view = null] = parts;
  const dtype = isKind(type, 'global') ? storageDtypes.get(type.name) : undefined;
  if (tag !== 'storage' || !dtype || typeof key !== 'string' || typeof location !== 'string' || !isLength(elements)) {
    return fail('a persistent id that is not a storage with type, key, location and number of elements');
  }
  if (view !== null || parts.length > 6) {
    return fail('a view of a storage, as PyTorch before 0.4 wrote them', convertHint);
  }
  return { kind: 'storage', key, dtype, elements };
}

function orderedDict(args: readonly PickleValue[], { fail, charge }: Building): PickleDict {
  const [pairs, ...more] = args;
  const items = new Map<string | number, PickleValue>();
  if (pairs === undefined) return { kind: 'dict', items };
  if (!isKind(pairs, 'list') || more.length > 0) return fail('an OrderedDict made of something other than a list');
  charge(pairs.items.length);
  for (const pair of pairs.items) {
    const [key, value, ...rest] = isKind(pair, 'list') || isKind(pair, 'tuple') ? pair.items : [];
    if (key === undefined || value === undefined || rest.length > 0) return fail('an OrderedDict of other than pairs');
    setItem(items, key, value, fail);
  }
  return { kind: 'dict', items };
}

export function setItem(items: PickleDict['items'], key: PickleValue, value: PickleValue, fail: Fail): void {
  if (typeof key !== 'string' && typeof key !== 'number') fail(`a dict's key is ${describe(key)}`);
  if (items.has(key)) fail(`duplicate name: ${printable(String(key))} stands twice in one dict`);
  items.set(key, value);
}

/** `(storage, offset, size, stride, requires_grad, hooks[, metadata])`. */
function rebuildTensor(args: readonly PickleValue[], { fail }: Building): SavedTensor {
  const [storage, offset, shape, strides, requiresGrad, hooks, metadata = null] = args;
  const expected = isKind(storage, 'storage') && isLength(offset) && isLengths(shape) && isLengths(strides);
  if (!expected || typeof requiresGrad !== 'boolean' || !isKind(hooks, 'dict') || args.length > 7) {
    return fail('a tensor that is not storage, offset, size, stride, requires_grad and hooks');
  }
  // Metadata says, for one, that all values are to be negated.
  if (metadata !== null && !(isKind(metadata, 'dict') && metadata.items.size === 0)) {
    return fail('a tensor with metadata, which is not understood here', convertHint);
  }
  if (shape.items.length !== strides.items.length) {
    return fail(`a tensor with ${shape.items.length} dimensions and ${strides.items.length} strides`);
  }
  return { kind: 'tensor', storage, offset, shape: shape.items, strides: strides.items };
}

/** `(tensor, requires_grad, hooks)`: for weights a parameter is its tensor. */
function rebuildParameter(args: readonly PickleValue[], { fail }: Building): SavedTensor {
  const [tensor] = args;
  return isKind(tensor, 'tensor') && args.length === 3 ? tensor : fail('a parameter that holds no tensor');
}

function size(args: readonly PickleValue[], { fail }: Building): PickleSequence {
  const [lengths] = args;
  return isLengths(lengths) && args.length === 1 ? lengths : fail('a torch.Size that is not a tuple of whole numbers');
}

function encode(args: readonly PickleValue[], { fail, charge }: Building): Uint8Array {
  const [text, encoding] = args;
  if (typeof text !== 'string' || encoding !== 'latin1' || args.length !== 2)
    return fail('bytes in an unknown encoding');
  charge(text.length);
  return Buffer.from(text, 'latin1');
}

type Tagged = Extract<PickleValue, { kind: string }>;

export function isKind<K extends Tagged['kind']>(
  value: PickleValue | undefined,
  kind: K,
): value is Tagged & { readonly kind: K } {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind;
}

const isLength = (value: PickleValue | undefined): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const isLengths = (value: PickleValue | undefined): value is PickleSequence & { items: number[] } =>
  isKind(value, 'tuple') && value.items.length <= maxDimensions && value.items.every(isLength);

export function describe(value: PickleValue): string {
  if (value === null) return 'None';
  if (value instanceof Uint8Array) return 'bytes';
  if (typeof value === 'bigint') return 'a number';
  if (typeof value !== 'object') return `a ${typeof value}`;
  return value.kind === 'global' ? value.name : `a ${value.kind}`;
}
