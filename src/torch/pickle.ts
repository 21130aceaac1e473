/**
 * Reads a pickle as data, not as a program: a stack, a memo, and the opcodes that Python writes with protocol 2 for
 * PyTorch's state dicts. A pickle is a list of orders to Python, of which "find this name" and "call it" let a file run
 * whatever it likes; here a name is one of a short table (pickle-values.ts) or the file is refused by that name.
 * Not read: other protocols, objects of any class but the few in that table, attributes (an OrderedDict's are dropped:
 * a state dict carries `_metadata` there), tuples that hold themselves.
 *
 * A small file cannot cost much: size, stack, nesting, objects and copies are limited, and nothing here recurses.
 * Source: pickletools.py of Python for the opcodes, which bear their names from there.
 */
import { isUtf8 } from 'node:buffer';
import { convertHint, type Fail } from './byte-source.ts';
import {
  type Building,
  callGlobal,
  describe,
  findGlobal,
  isKind,
  type PickleSequence,
  type PickleValue,
  type SavedStorage,
  setItem,
  storageOf,
} from './pickle-values.ts';

/** About 130 bytes a tensor: room for a hundred thousand. */
export const maxPickleBytes = 16 * 2 ** 20;
/** Containers made, and memo entries: a tensor takes about ten. */
const maxObjects = 1_000_000;
/** Python puts down at most 1000 items or pairs before it stores them. */
const maxStack = 100_000;
const maxNesting = 1000;

export interface Unpickled {
  readonly value: PickleValue;
  /** Where the pickle ends in `bytes`: other data may follow. */
  readonly end: number;
  /** Every storage that is named, by key. */
  readonly storages: ReadonlyMap<string, SavedStorage>;
}

/** The pickle that begins at `start`. Calls `fail`, which must throw, where it is damaged or asks for more than data. */
export function unpickle(bytes: Uint8Array, start: number, fail: Fail): Unpickled {
  const machine = new Machine(bytes, start, fail);
  if (machine.byte() !== 0x80) fail('not a pickle of protocol 2');
  const protocol = machine.byte();
  if (protocol !== 2) fail(`a pickle of protocol ${protocol}: only 2, which torch.save writes, is read`, convertHint);
  for (let code = machine.byte(); code !== stop; code = machine.byte()) {
    const run = opcodes.get(code);
    if (!run)
      fail(`unknown opcode 0x${code.toString(16).padStart(2, '0')} at byte ${machine.position - 1}`, convertHint);
    run(machine);
  }
  return { value: machine.result(), end: machine.position, storages: machine.storages };
}

class Machine implements Building {
  readonly fail: Fail;
  readonly storages = new Map<string, SavedStorage>();
  position: number;
  readonly #bytes: Buffer;
  readonly #stack: PickleValue[] = [];
  /** How high the stack was at each mark not yet taken back. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();
  #objects = 0;
  #copied = 0;

  constructor(bytes: Uint8Array, start: number, fail: Fail) {
    this.fail = fail;
    this.position = start;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.byteLength > maxPickleBytes)
      fail(`a pickle of ${bytes.byteLength} bytes: at most ${maxPickleBytes} are read`);
  }

  take(count: number): Buffer {
    const end = this.position + count;
    if (end > this.#bytes.length) this.fail(`truncated: the pickle needs byte ${end} and has ${this.#bytes.length}`);
    const taken = this.#bytes.subarray(this.position, end);
    this.position = end;
    return taken;
  }

  byte(): number {
    return this.#bytes[this.position++] ?? this.fail(`truncated: the pickle ends after ${this.#bytes.length} bytes`);
  }

  text(bytes: Buffer): string {
    if (!isUtf8(bytes)) this.fail(`a text that is not UTF-8 before byte ${this.position}`);
    return bytes.toString('utf8');
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.position);
    if (end < 0) return this.fail('truncated: the pickle ends inside a name');
    const line = this.text(this.take(end - this.position));
    this.position++;
    return line;
  }

  push(value: PickleValue): void {
    if (this.#stack.length >= maxStack) this.fail(`a pickle that puts down more than ${maxStack} values: refused`);
    if (typeof value === 'object' && value !== null) this.count();
    this.#stack.push(value);
  }

  /** What lies below the last mark is out of reach. */
  pop(): PickleValue {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) this.fail(`nothing to take at byte ${this.position - 1}`);
    return this.#stack.pop() as PickleValue;
  }

  top(): PickleValue {
    const value = this.pop();
    this.#stack.push(value);
    return value;
  }

  mark(): void {
    if (this.#marks.length >= maxNesting) this.fail(`a pickle nested more than ${maxNesting} deep: refused`);
    this.#marks.push(this.#stack.length);
  }

  popToMark(): PickleValue[] {
    const mark = this.#marks.pop();
    return mark === undefined ? this.fail(`no mark before byte ${this.position - 1}`) : this.#stack.splice(mark);
  }

  popTuple(length: number): void {
    const items: PickleValue[] = [];
    for (let i = 0; i < length; i++) items.unshift(this.pop());
    this.push({ kind: 'tuple', items });
  }

  put(index: number): void {
    this.count();
    this.#memo.set(index, this.top());
  }

  get(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) this.fail(`nothing was remembered as ${index}`);
    else this.push(value);
  }

  append(values: readonly PickleValue[]): void {
    const list = this.top();
    if (!isKind(list, 'list')) this.fail(`an append to ${describe(list)}`);
    for (const value of values) list.items.push(value);
  }

  setItems(pairs: readonly PickleValue[]): void {
    const dict = this.top();
    if (!isKind(dict, 'dict')) this.fail(`a key set in ${describe(dict)}`);
    if (pairs.length % 2 === 1) this.fail('a key without its value');
    for (let i = 0; i < pairs.length; i += 2) {
      setItem(dict.items, pairs[i] as PickleValue, pairs[i + 1] as PickleValue, this.fail);
    }
  }

  reduce(): void {
    const args = this.pop();
    this.push(callGlobal(this.pop(), args, this));
  }

  dropAttributes(): void {
    const state = this.pop();
    if (!isKind(this.top(), 'dict') || !isKind(state, 'dict')) this.fail(`attributes for ${describe(this.top())}`);
  }

  pushStorage(): void {
    const storage = storageOf(this.pop(), this.fail);
    const known = this.storages.get(storage.key);
    if (known && (known.dtype !== storage.dtype || known.elements !== storage.elements)) {
      this.fail('one storage named with two types or lengths');
    }
    if (!known) this.storages.set(storage.key, storage);
    this.push(known ?? storage);
  }

  count(): void {
    if (++this.#objects > maxObjects) this.fail(`a pickle of more than ${maxObjects} objects: refused`);
  }

  /** Python's own pickles copy each byte of theirs once at most. */
  readonly charge = (items: number): void => {
    this.#copied += items;
    if (this.#copied > this.#bytes.length) this.fail('a pickle that copies itself over and over: refused');
  };

  result(): PickleValue {
    const value = this.pop();
    if (this.#stack.length > 0 || this.#marks.length > 0) this.fail('a pickle that ends with work left undone');
    return value;
  }
}

/** Two's complement, lowest byte first. */
function longOf(bytes: Uint8Array): number | bigint {
  if (bytes.length === 0) return 0;
  const value = BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`));
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

const list = (): PickleSequence => ({ kind: 'list', items: [] });

const stop = 0x2e;

const opcodes: ReadonlyMap<number, (machine: Machine) => void> = new Map<number, (machine: Machine) => void>([
  [0x28, (m) => m.mark()], // MARK
  [0x29, (m) => m.popTuple(0)], // EMPTY_TUPLE
  [0x47, (m) => m.push(m.take(8).readDoubleBE())], // BINFLOAT
  [0x4a, (m) => m.push(m.take(4).readInt32LE())], // BININT
  [0x4b, (m) => m.push(m.byte())], // BININT1
  [0x4d, (m) => m.push(m.take(2).readUInt16LE())], // BININT2
  [0x4e, (m) => m.push(null)], // NONE
  [0x51, (m) => m.pushStorage()], // BINPERSID
  [0x52, (m) => m.reduce()], // REDUCE
  [0x54, (m) => m.push(m.text(m.take(m.take(4).readUInt32LE())))], // BINSTRING: str of Python 2
  [0x55, (m) => m.push(m.text(m.take(m.byte())))], // SHORT_BINSTRING: str of Python 2
  [0x58, (m) => m.push(m.text(m.take(m.take(4).readUInt32LE())))], // BINUNICODE
  [0x5d, (m) => m.push(list())], // EMPTY_LIST
  [0x61, (m) => m.append([m.pop()])], // APPEND
  [0x62, (m) => m.dropAttributes()], // BUILD
  [0x63, (m) => m.push(findGlobal(m.line(), m.line(), m.fail))], // GLOBAL
  [0x65, (m) => m.append(m.popToMark())], // APPENDS
  [0x68, (m) => m.get(m.byte())], // BINGET
  [0x6a, (m) => m.get(m.take(4).readUInt32LE())], // LONG_BINGET
  [0x71, (m) => m.put(m.byte())], // BINPUT
  [0x72, (m) => m.put(m.take(4).readUInt32LE())], // LONG_BINPUT
  [0x73, (m) => m.setItems([m.pop(), m.pop()].reverse())], // SETITEM
  [0x74, (m) => m.push({ kind: 'tuple', items: m.popToMark() })], // TUPLE
  [0x75, (m) => m.setItems(m.popToMark())], // SETITEMS
  [0x7d, (m) => m.push({ kind: 'dict', items: new Map() })], // EMPTY_DICT
  [0x85, (m) => m.popTuple(1)], // TUPLE1
  [0x86, (m) => m.popTuple(2)], // TUPLE2
  [0x87, (m) => m.popTuple(3)], // TUPLE3
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x8a, (m) => m.push(longOf(m.take(m.byte())))], // LONG1
]);
