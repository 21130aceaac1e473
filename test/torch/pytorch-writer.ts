/** Pickles and zip archives by hand, right and wrong, for pickle.test.ts and pytorch-file.test.ts. */
import { deflateRawSync } from 'node:zlib';

const le = (bytes: number, value: number | bigint): Buffer => {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return buffer.subarray(0, bytes);
};
export const int64 = (value: number): Buffer => le(8, value);

// Pickle fragments: each leaves one value on the stack.
export const code = (...bytes: (number | string | Buffer)[]): Buffer =>
  Buffer.concat(bytes.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part as string))));
export const pickle = (...parts: (number | string | Buffer)[]): Buffer => code(0x80, 2, ...parts, '.');
export const text = (value: string): Buffer => code('X', le(4, Buffer.byteLength(value)), value);
export const int = (value: number): Buffer =>
  Math.abs(value) < 2 ** 31 ? code('J', le(4, value)) : code(0x8a, 8, le(8, value));
export const name = (module: string, attribute: string): Buffer => code('c', `${module}\n${attribute}\n`);
export const tuple = (...items: Buffer[]): Buffer => code('(', ...items, 't');
export const list = (...items: Buffer[]): Buffer => code('](', ...items, 'e');
export const dict = (...pairs: [Buffer, Buffer][]): Buffer => code('}(', ...pairs.flat(), 'u');
export const call = (callee: Buffer, ...args: Buffer[]): Buffer => code(callee, tuple(...args), 'R');
export const orderedDict = call(name('collections', 'OrderedDict'));

export const storage = (key: string, elements: number, type = 'FloatStorage'): Buffer =>
  code(tuple(text('storage'), name('torch', type), text(key), text('cpu'), int(elements)), 'Q');

export const tensor = (source: Buffer, shape: number[], strides: number[], offset = 0): Buffer =>
  call(
    name('torch._utils', '_rebuild_tensor_v2'),
    source,
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    code(0x89),
    orderedDict,
  );

export interface ZipPart {
  readonly name: string;
  readonly content: Buffer;
  readonly method?: 'stored' | 'deflated';
  readonly encrypted?: boolean;
  /** The name in the entry's own header. */
  readonly localName?: string;
  /** Where the directory says it begins; its own header and content are then not written. */
  readonly offset?: number;
}

/** `wide`: every length and offset of the directory stands in zip64 fields alone. */
export function zip(parts: readonly ZipPart[], { wide = false, comment = '' } = {}): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const part of parts) {
    const { name: entry, content, method = 'stored', encrypted = false, localName = entry } = part;
    const stored = method === 'stored' ? content : deflateRawSync(content);
    // Versions, flags, method, time and date, checksum.
    const common = Buffer.concat([le(2, 45), le(2, encrypted ? 1 : 0), le(2, method === 'stored' ? 0 : 8), le(8, 0)]);
    const local = Buffer.concat([
      le(4, 0x04034b50),
      common,
      le(8, 0),
      le(2, localName.length),
      le(2, 0),
      Buffer.from(localName),
      stored,
    ]);
    // A foreign field first: the reader has to step over it.
    const extra = wide
      ? Buffer.concat([le(2, 7), le(2, 3), Buffer.from('abc'), le(2, 1), le(2, 24), int64(content.length)])
      : Buffer.alloc(0);
    const wideRest = wide ? Buffer.concat([int64(stored.length), int64(part.offset ?? offset)]) : Buffer.alloc(0);
    const field = (value: number) => le(4, wide ? 0xffffffff : value);
    directory.push(
      Buffer.concat([
        le(4, 0x02014b50),
        le(2, 45),
        common,
        field(stored.length),
        field(content.length),
        le(2, entry.length),
        le(2, extra.length + wideRest.length),
        le(8, 0), // comment, part, attributes
        le(2, 0),
        field(part.offset ?? offset),
        Buffer.from(entry),
        extra,
        wideRest,
      ]),
    );
    if (part.offset !== undefined) continue;
    locals.push(local);
    offset += local.length;
  }
  const entries = Buffer.concat(directory);
  const count = le(2, wide ? 0xffff : parts.length);
  const end = Buffer.concat([
    le(4, 0x06054b50),
    le(4, 0),
    count,
    count,
    le(4, wide ? 0xffffffff : entries.length),
    le(4, wide ? 0xffffffff : offset),
    le(2, comment.length),
    Buffer.from(comment),
  ]);
  const end64 = Buffer.concat([
    le(4, 0x06064b50),
    le(8, 44),
    le(4, 0),
    le(8, 0),
    ...[parts.length, parts.length, entries.length, offset].map(int64),
    le(4, 0x07064b50),
    le(4, 0),
    int64(offset + entries.length),
    le(4, 1),
  ]);
  return Buffer.concat([...locals, entries, ...(wide ? [end64] : []), end]);
}
