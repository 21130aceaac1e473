/** Writes SentencePiece models for tests: protobuf by hand, so that every field can be wrong. */

/** A field: number, and a varint, a text, bytes, or a float (as `{ float }`). */
export type Field = readonly [
  number: number,
  value: number | boolean | string | Uint8Array | { readonly float: number },
];

export function message(...fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.map(([number, value]) => Buffer.concat(encode(number, value))));
}

function encode(number: number, value: Field[1]): Uint8Array[] {
  if (typeof value === 'number' || typeof value === 'boolean') return [varint(number * 8), varint(Number(value))];
  if (typeof value === 'object' && 'float' in value) {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value.float);
    return [varint(number * 8 + 5), bytes];
  }
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return [varint(number * 8 + 2), varint(bytes.length), bytes];
}

/** Negative numbers take ten bytes, as protobuf has it. */
export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

export type TestPiece = readonly [text: string, score?: number, type?: number];

export const special: readonly TestPiece[] = [
  ['<unk>', 0, 2],
  ['<s>', 0, 3],
  ['</s>', 0, 3],
];

/** A BPE model that neither collapses spaces nor falls back to bytes, unless the fields say otherwise. */
export function modelOf(
  pieces: readonly TestPiece[],
  { trainer = [], normalizer = [] }: { trainer?: readonly Field[]; normalizer?: readonly Field[] } = {},
): Buffer {
  const rows = pieces.map(
    ([text, score = 0, type = 1]): Field => [1, message([1, text], [2, { float: score }], [3, type])],
  );
  const trainerSpec = message([3, 2], ...trainer);
  return message(...rows, [2, trainerSpec], [3, message([4, false], ...normalizer)]);
}
