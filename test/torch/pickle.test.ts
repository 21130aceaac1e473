import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { unpickle } from '../../src/torch/pickle.ts';
import {
  call,
  code,
  dict,
  int,
  list,
  name,
  orderedDict,
  pickle,
  storage,
  tensor,
  text,
  tuple,
} from './pytorch-writer.ts';

class Refusal extends Error {}
const fail = (message: string): never => {
  throw new Refusal(message);
};
const read = (bytes: Uint8Array, start = 0) => unpickle(bytes, start, fail);
const unpickled = (...parts: (number | string | Buffer)[]) => read(pickle(...parts)).value;

describe('unpickle', () => {
  it.each<[string, Buffer, unknown]>([
    ['None', code('N'), null],
    ['True', code(0x88), true],
    ['False', code(0x89), false],
    ['an int of one byte', code('K', 0xff), 255],
    ['an int of two bytes', code('M', 0xff, 0xff), 65535],
    ['an int of four bytes', int(-3), -3],
    ['a long of no bytes', code(0x8a, 0), 0],
    ['a negative long', code(0x8a, 2, 0x00, 0x80), -32768],
    ['a long beyond 2^53', code(0x8a, 8, 1, 0, 0, 0, 0, 0, 0x20, 0), 2n ** 53n + 1n],
    ['a float', code('G', 0x3f, 0xf8, 0, 0, 0, 0, 0, 0), 1.5],
    ['a text', text('naïve'), 'naïve'],
    ['a str of Python 2', code('U', 3, 'abc'), 'abc'],
    ['a long str of Python 2', code('T', 3, 0, 0, 0, 'abc'), 'abc'],
    ['an empty tuple', code(')'), { kind: 'tuple', items: [] }],
    ['a tuple of three', code('K', 1, 'K', 2, 'K', 3, 0x87), { kind: 'tuple', items: [1, 2, 3] }],
    ['a list, item by item', code(']K', 1, 'aK', 2, 'a'), { kind: 'list', items: [1, 2] }],
    ['a list, all at once', list(int(1), text('x')), { kind: 'list', items: [1, 'x'] }],
    ['a dict, key by key', code('}', text('a'), 'Ns'), { kind: 'dict', items: new Map([['a', null]]) }],
    ['a dict, all at once', dict([int(1), text('b')]), { kind: 'dict', items: new Map([[1, 'b']]) }],
    ['what it remembered', code(text('a'), 'q', 7, 'h', 7, 0x86), { kind: 'tuple', items: ['a', 'a'] }],
    ['by a long index', code(text('a'), 'r', 0, 1, 0, 0, 'j', 0, 1, 0, 0, 0x86), { kind: 'tuple', items: ['a', 'a'] }],
    [
      'an OrderedDict of pairs, as Python 2 wrote it',
      call(name('collections', 'OrderedDict'), list(list(text('a'), int(1)))),
      { kind: 'dict', items: new Map([['a', 1]]) },
    ],
    ['bytes', call(name('_codecs', 'encode'), text('aÿ'), text('latin1')), Buffer.from([0x61, 0xff])],
    ['no bytes', call(name('__builtin__', 'bytes')), new Uint8Array()],
    ['a torch.Size', call(name('torch', 'Size'), tuple(int(2), int(3))), { kind: 'tuple', items: [2, 3] }],
    ['a dtype', name('torch', 'bfloat16'), { kind: 'global', name: 'torch.bfloat16' }],
  ])('reads %s', (_name, bytes, value) => {
    expect(unpickled(bytes)).toEqual(value);
  });

  it('reads a tensor, says which storages are named, and where the pickle ends', () => {
    const one = tensor(storage('0', 12, 'HalfStorage'), [3, 2], [2, 1], 4);
    const bytes = Buffer.concat([
      Buffer.from('..'),
      pickle(list(one, storage('0', 12, 'HalfStorage'))),
      Buffer.from('more'),
    ]);
    const { value, end, storages } = read(bytes, 2);
    const expected = { kind: 'storage', key: '0', dtype: 'float16', elements: 12 };
    expect(value).toEqual({
      kind: 'list',
      items: [{ kind: 'tensor', storage: expected, offset: 4, shape: [3, 2], strides: [2, 1] }, expected],
    });
    expect([...storages]).toEqual([['0', expected]]);
    expect(end).toBe(bytes.length - 4);
  });

  it('drops the attributes of an OrderedDict', () => {
    expect(unpickled(orderedDict, dict([text('_metadata'), orderedDict]), 'b')).toEqual({
      kind: 'dict',
      items: new Map(),
    });
  });

  it.each([
    ['posix', 'system', 'os.system'],
    ['nt', 'system', 'os.system'],
    ['os', 'system', 'os.system'],
    ['__builtin__', 'eval', 'builtins.eval'],
    ['builtins', 'getattr', 'builtins.getattr'],
    ['__builtin__', 'set', 'builtins.set'],
    ['subprocess', 'Popen', 'subprocess.Popen'],
    ['torch.storage', '_load_from_bytes', 'torch.storage._load_from_bytes'],
    ['torch', 'load', 'torch.load'],
    ['torch', 'ComplexFloatStorage', 'torch.ComplexFloatStorage'],
    ['torch', 'constructor', 'torch.constructor'],
    ['__proto__', 'toString', '__proto__.toString'],
    ['torch._utils', '_rebuild_tensor_v2.__globals__', 'torch._utils._rebuild_tensor_v2.__globals__'],
    ['os', 'sys\u001b[31mtem', 'os.sys?[31mtem'],
  ])('refuses %s %s by its name, called or not', (module, attribute, shown) => {
    const message = `this file wants to run ${shown}: refused`;
    expect(() => unpickled(name(module, attribute))).toThrow(message);
    expect(() => unpickled(call(name(module, attribute), text('echo')))).toThrow(message);
  });

  const size = name('torch', 'Size');
  const float = name('torch', 'FloatStorage');
  it.each<[string, Buffer, RegExp]>([
    ['nothing', Buffer.alloc(0), /truncated/],
    ['another protocol', code(0x80, 4, 'N.'), /a pickle of protocol 4: only 2/],
    ['protocol 0', code('I1\n.'), /not a pickle of protocol 2/],
    ['an opcode it does not know', pickle(0x93), /unknown opcode 0x93 at byte 2/],
    ['an object being made by its class', pickle(size, ')', 0x81), /unknown opcode 0x81/],
    ['a text longer than the file', pickle('X', 0xff, 0xff, 0xff, 0x7f, 'a'), /truncated: the pickle needs byte/],
    ['a text that is not UTF-8', pickle('X', 1, 0, 0, 0, 0xff), /not UTF-8/],
    ['a name without end', code(0x80, 2, 'cos'), /truncated: the pickle ends inside a name/],
    ['nothing on the stack', pickle(), /nothing to take/],
    ['too much on the stack', pickle('NN'), /work left undone/],
    ['an open mark', pickle('N('), /nothing to take/],
    ['a tuple without its mark', pickle('Nt'), /no mark/],
    ['a reach below the mark', pickle('N(', 0x85), /nothing to take/],
    ['a memory it does not have', pickle('h', 3), /nothing was remembered as 3/],
    ['an append to a text', pickle(text('a'), 'Na'), /an append to a string/],
    ['a key set in a list', pickle(']', text('a'), 'Ns'), /a key set in a list/],
    ['a key without value', pickle('}(Nu'), /a key without its value/],
    ['a tuple as key', pickle('})Ns'), /a dict's key is a tuple/],
    ['a name twice', pickle(dict([text('a'), code('N')], [text('a'), code('N')])), /duplicate name: a stands twice/],
    ['attributes of a list', pickle(']}b'), /attributes for a list/],
    ['a call of a text', pickle(call(text('print'))), /a call of a string/],
    ['a call of a storage type', pickle(call(float)), /a call of torch.FloatStorage, which is no function/],
    ['a call without tuple', pickle(size, 'NR'), /a call of torch.Size/],
    ['a size of texts', pickle(call(size, tuple(text('a')))), /a torch.Size that is not/],
    ['a negative size', pickle(call(size, tuple(int(-1)))), /a torch.Size that is not/],
    [
      'bytes in another encoding',
      pickle(call(name('_codecs', 'encode'), text('a'), text('rot13'))),
      /unknown encoding/,
    ],
    [
      'an OrderedDict of numbers',
      pickle(call(name('collections', 'OrderedDict'), list(int(1)))),
      /of other than pairs/,
    ],
    ['a storage of no type', pickle(tuple(text('storage'), text('a')), 'Q'), /not a storage/],
    ['a storage of negative length', pickle(storage('0', -1)), /not a storage/],
    [
      'a view of a storage',
      pickle(tuple(text('storage'), float, text('0'), text('cpu'), int(1), tuple(text('1'), int(0), int(1))), 'Q'),
      /before 0\.4/,
    ],
    [
      'one storage of two types',
      pickle(list(storage('0', 1), storage('0', 1, 'IntStorage'))),
      /one storage named with two types or lengths/,
    ],
    ['a tensor of no storage', pickle(tensor(text('a'), [1], [1])), /a tensor that is not storage, offset/],
    ['fewer strides than sizes', pickle(tensor(storage('0', 1), [1, 1], [1])), /2 dimensions and 1 strides/],
    ['negative strides', pickle(tensor(storage('0', 2), [2], [-1])), /a tensor that is not/],
    [
      'more dimensions than libtorch has',
      pickle(tensor(storage('0', 1), Array(65).fill(1), Array(65).fill(1))),
      /that is not/,
    ],
    [
      'a tensor that is negated',
      pickle(tensor(storage('0', 1), [1], [1]).subarray(0, -2), dict([text('neg'), code(0x88)]), 'tR'),
      /a tensor with metadata/,
    ],
    [
      'a parameter of nothing',
      pickle(call(name('torch._utils', '_rebuild_parameter'), int(1), int(1), int(1))),
      /parameter/,
    ],
  ])('refuses %s', (_name, bytes, message) => {
    expect(() => read(bytes)).toThrow(message);
    expect(() => read(bytes)).toThrow(Refusal);
  });

  it('refuses bombs: a deep, a high, a wide, a copying and a big one', () => {
    const many = (part: string | Buffer, times: number) => Buffer.alloc(part.length * times, part);
    expect(() => unpickled(many('(', 1001))).toThrow(/nested more than 1000 deep/);
    expect(() => unpickled(many('N', 100_001))).toThrow(/more than 100000 values/);
    expect(() => unpickled(']', many(']a', 1_000_001))).toThrow(/more than 1000000 objects/);
    expect(() => unpickled('N', many(code('q', 0), 1_000_001))).toThrow(/more than 1000000 objects/);
    const pairs = code(list(...Array.from({ length: 500 }, (_, i) => tuple(int(i), int(i)))), 'q', 0);
    const copy = code(name('collections', 'OrderedDict'), 'h', 0, 0x85, 'R');
    expect(() => unpickled(pairs, many(copy, 100))).toThrow(/copies itself over and over/);
    const encode = code(name('_codecs', 'encode'), 'h', 1, text('latin1'), 0x86, 'R');
    expect(() => unpickled(text('x'.repeat(10_000)), 'q', 1, many(encode, 10))).toThrow(/copies itself over and over/);
    expect(() => read(new Uint8Array(16 * 2 ** 20 + 1))).toThrow(/at most 16777216 are read/);
  });

  it('reads a list that holds itself, and one ten thousand deep, without recursing', () => {
    const own = unpickled(']q', 0, 'h', 0, 'a') as { items: unknown[] };
    expect(own.items[0]).toBe(own);
    const deep = unpickled(Buffer.alloc(10_000, ']'), Buffer.alloc(9_999, 'a')) as { kind: string };
    expect(deep.kind).toBe('list');
  });

  it('cut anywhere is refused; with any byte changed is read or refused, and nothing else', () => {
    const file = readFileSync(join(import.meta.dirname, '../golden/pickle/legacy.bin'));
    const start = [0, 1, 2].reduce((at) => read(file, at).end, 0);
    const whole = file.subarray(start, read(file, start).end);
    for (let length = 0; length < whole.length; length++)
      expect(() => read(whole.subarray(0, length))).toThrow(Refusal);
    let refused = 0;
    for (let at = 0; at < whole.length; at++) {
      for (const mask of [0x01, 0x10, 0x80, 0x5a]) {
        const changed = Buffer.from(whole);
        changed[at] = (changed[at] as number) ^ mask;
        try {
          read(changed);
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(whole.length / 2);
    expect(refused).toBeLessThan(4 * whole.length);
  });
});
