/**
 * The header of a GGUF file, versions 2 and 3: counts, metadata, tensor table. The table is checked as a whole: shapes
 * divide into blocks, tensors lie inside the file and do not overlap.
 *
 * Source: "GGUF" specification, docs/gguf.md of ggml.
 */
import { type Cursor, type GgufValue, showValue } from './cursor.ts';
import { readableTypes, retiredTypes, type TensorType, tensorTypes } from './tensor-types.ts';

export interface GgufTensor {
  readonly name: string;
  /** Row-major: the first dimension is the slowest. The file lists them the other way round. */
  readonly shape: readonly number[];
  /** ggml's name, such as `Q4_1`. */
  readonly type: string;
  /** From the beginning of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** GGML_MAX_DIMS */
const maxDimensions = 4;
const defaultAlignment = 32;
/** Least bytes of a key–value pair (length of key, type, value) and of a tensor's entry (name, dims, type, offset). */
const leastPairBytes = 8 + 4 + 1;
const leastTensorBytes = 8 + 4 + 8 + 4 + 8;

export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
}

export function readHeader(cursor: Cursor): GgufHeader {
  const { version, numTensors, numPairs } = readCounts(cursor);
  const metadata = readMetadata(cursor, numPairs);
  return { version, metadata, tensors: readTensorTable(cursor, numTensors, alignmentOf(cursor, metadata)) };
}

function readCounts(cursor: Cursor): { version: number; numTensors: number; numPairs: number } {
  const magic = cursor.bytes(4).toString('latin1');
  if (magic !== 'GGUF') cursor.fail(`expected a GGUF file (it begins with "GGUF"), got ${JSON.stringify(magic)}`);
  const version = cursor.uint32();
  if (version !== 0 && (version & 0xffff) === 0) cursor.fail('a big-endian GGUF file, which is not supported');
  if (version !== 2 && version !== 3) cursor.fail(`expected GGUF version 2 or 3, got ${version}`);
  const numTensors = cursor.count('tensor count', leastTensorBytes);
  const numPairs = cursor.count('metadata count', leastPairBytes);
  return { version, numTensors, numPairs };
}

function readMetadata(cursor: Cursor, numPairs: number): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < numPairs; i++) {
    cursor.within = `metadata entry ${i}`;
    const key = cursor.string('key');
    cursor.within = `metadata ${key}`;
    if (metadata.has(key)) cursor.fail('is there twice');
    metadata.set(key, cursor.value(cursor.uint32()));
  }
  return metadata;
}

function alignmentOf(cursor: Cursor, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get('general.alignment') ?? defaultAlignment;
  cursor.within = 'metadata general.alignment';
  // A power of two, as ggml demands; 2^30 keeps the bit test below within 32 bits.
  if (typeof alignment !== 'number' || alignment < 1 || alignment > 2 ** 30 || (alignment & (alignment - 1)) !== 0)
    return cursor.fail(`expected a power of two, got ${showValue(alignment)}`);
  return alignment;
}

function readTensorTable(cursor: Cursor, numTensors: number, alignment: number): GgufTensor[] {
  const seen = new Set<string>();
  const relative: GgufTensor[] = [];
  for (let i = 0; i < numTensors; i++) {
    cursor.within = `tensor entry ${i}`;
    const tensor = readTensorEntry(cursor, alignment);
    if (seen.has(tensor.name)) cursor.fail('is there twice');
    seen.add(tensor.name);
    relative.push(tensor);
  }
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  const tensors = relative.map((tensor) => ({ ...tensor, offset: tensor.offset + dataStart }));
  checkPlaces(cursor, tensors);
  return tensors;
}

/** One entry of the table; the offset is still relative to the beginning of the data. */
function readTensorEntry(cursor: Cursor, alignment: number): GgufTensor {
  const name = cursor.string('name');
  cursor.within = `tensor ${name}`;
  const numDimensions = cursor.uint32();
  if (numDimensions < 1 || numDimensions > maxDimensions)
    cursor.fail(`expected 1 to ${maxDimensions} dimensions, got ${numDimensions}`);
  const dimensions = Array.from({ length: numDimensions }, () => Number(cursor.bytes(8).readBigUInt64LE()));
  const numValues = dimensions.reduce((product, dimension) => product * dimension, 1);
  if (dimensions.includes(0) || !Number.isSafeInteger(numValues))
    cursor.fail(`a shape of [${dimensions.join(', ')}] cannot be`);
  const type = readTensorType(cursor);
  if ((dimensions[0] as number) % type.blockValues !== 0)
    cursor.fail(`rows of ${dimensions[0]} values do not divide into ${type.name} blocks of ${type.blockValues}`);
  const offset = Number(cursor.bytes(8).readBigUInt64LE());
  if (offset % alignment !== 0) cursor.fail(`offset ${offset} is not a multiple of the alignment ${alignment}`);
  const byteLength = (numValues / type.blockValues) * type.blockBytes;
  return { name, shape: dimensions.reverse(), type: type.name, offset, byteLength };
}

function readTensorType(cursor: Cursor): TensorType {
  const number = cursor.uint32();
  const retired = retiredTypes.get(number);
  const what =
    retired === undefined ? `unknown tensor type number ${number}` : `tensor type ${retired} is not supported`;
  return tensorTypes.get(number) ?? cursor.fail(`${what}; supported: ${readableTypes}`);
}

function checkPlaces(cursor: Cursor, tensors: readonly GgufTensor[]): void {
  let before: GgufTensor | undefined;
  for (const tensor of [...tensors].sort((a, b) => a.offset - b.offset)) {
    cursor.within = `tensor ${tensor.name}`;
    if (tensor.offset + tensor.byteLength > cursor.size)
      cursor.fail(
        `ends at ${tensor.offset + tensor.byteLength}, beyond the file's end at ${cursor.size}: the file is cut off`,
      );
    if (before && tensor.offset < before.offset + before.byteLength)
      cursor.fail(`overlaps tensor ${before.name} at ${tensor.offset}`);
    before = tensor;
  }
}
