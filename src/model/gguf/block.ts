/** What every block decoder shares: its type, and half-precision numbers. */

/**
 * Decodes whole blocks of `bytes` into `values` from index `at` on. Results are the float32 nearest to the formula of
 * the block: products and sums are made in double precision and rounded once, on storing.
 */
export type Decoder = (bytes: Uint8Array, values: Float32Array, at: number) => void;

let table: Float32Array | undefined;

/** float32 of every float16 bit pattern (IEEE 754 binary16). */
export function halves(): Float32Array {
  if (table) return table;
  table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const special = fraction === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
    const size =
      exponent === 31 ? special : exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    table[bits] = bits & 0x8000 ? -size : size;
  }
  return table;
}

/** The little-endian float16 at `bytes[at]`. */
export const halfAt = (bytes: Uint8Array, at: number): number => halves()[bytes[at]! | (bytes[at + 1]! << 8)]!;

/** A byte as a two's complement number. */
export const signed = (byte: number): number => (byte << 24) >> 24;
