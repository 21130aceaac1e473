/**
 * Decoders of the K-quants and IQ4_XS: super-blocks of 256 values, which fall into groups of 16 or 32 values. A group
 * has a small whole number as its scale (and one as its minimum); the super-block has the real numbers that these are
 * multiples of. Groups are numbered in the order of their values. All multi-byte numbers are little-endian.
 *
 * Source: block layouts of ggml-common.h, in the order of its fields.
 */
import { type Decoder, halfAt, signed } from './block.ts';
import { unevenLevels } from './blocks.ts';

/**
 * Q2_K, 84 bytes, 16 groups of 16:
 *   16 bytes  one a group: scale in the low half, minimum in the high half
 *   64 bytes  2-bit numbers: byte 32·h + j holds values j, 32 + j, 64 + j, 96 + j of half h, from the lowest bits up
 *    2 bytes  d (f16), unit of the scales
 *    2 bytes  m (f16), unit of the minima
 * value = d · scale · q − m · minimum
 */
export const decodeQ2K: Decoder = (bytes, values, at) => {
  for (let block = 0; block < bytes.length; block += 84) {
    const d = halfAt(bytes, block + 80);
    const m = halfAt(bytes, block + 82);
    for (let group = 0; group < 16; group++, at += 16) {
      const pair = bytes[block + group]!;
      const scale = d * (pair & 15);
      const minimum = m * (pair >> 4);
      const quants = block + 16 + twoBitByte(group);
      const shift = twoBitShift(group);
      for (let i = 0; i < 16; i++) values[at + i] = scale * ((bytes[quants + i]! >> shift) & 3) - minimum;
    }
  }
};

/**
 * Q3_K, 110 bytes, 16 groups of 16:
 *   32 bytes  third bits: byte j, bit k is of value 32·k + j
 *   64 bytes  2-bit numbers, as in Q2_K
 *   12 bytes  scales of 6 bits: the low four of group g in byte g mod 8, low half for g < 8, high half after;
 *             the high two in byte 8 + g mod 4, bits 2·⌊g/4⌋ and the next
 *    2 bytes  d (f16)
 * value = d · (scale − 32) · (q − 4), q of three bits
 */
export const decodeQ3K: Decoder = (bytes, values, at) => {
  for (let block = 0; block < bytes.length; block += 110) {
    const d = halfAt(bytes, block + 108);
    for (let group = 0; group < 16; group++, at += 16) {
      const low = (bytes[block + 96 + (group & 7)]! >> (4 * (group >> 3))) & 15;
      const high = (bytes[block + 104 + (group & 3)]! >> (2 * (group >> 2))) & 3;
      const scale = d * ((low | (high << 4)) - 32);
      const quants = block + 32 + twoBitByte(group);
      const shift = twoBitShift(group);
      const thirds = block + 16 * (group & 1);
      const third = group >> 1;
      for (let i = 0; i < 16; i++) {
        const q = ((bytes[quants + i]! >> shift) & 3) | (((bytes[thirds + i]! >> third) & 1) << 2);
        values[at + i] = scale * (q - 4);
      }
    }
  }
};

/** Where the 2-bit numbers of a group of 16 begin, within the 64 bytes of Q2_K and Q3_K, and at which bit of each. */
const twoBitByte = (group: number): number => 32 * (group >> 3) + 16 * (group & 1);
const twoBitShift = (group: number): number => 2 * ((group >> 1) & 3);

/**
 * Q4_K, 144 bytes, 8 groups of 32:
 *    2 bytes  d (f16), unit of the scales
 *    2 bytes  m (f16), unit of the minima
 *   12 bytes  scales and minima of 6 bits, see `sixBitScale`
 *  128 bytes  4-bit numbers: byte 32·p + j holds value j of group 2·p (low half) and of group 2·p + 1 (high half)
 * value = d · scale · q − m · minimum
 */
export const decodeQ4K: Decoder = (bytes, values, at) => {
  for (let block = 0; block < bytes.length; block += 144) {
    const d = halfAt(bytes, block);
    const m = halfAt(bytes, block + 2);
    for (let group = 0; group < 8; group++, at += 32) {
      const scale = d * sixBitScale(bytes, block + 4, group);
      const minimum = m * sixBitMinimum(bytes, block + 4, group);
      const quants = block + 16 + 32 * (group >> 1);
      const shift = 4 * (group & 1);
      for (let i = 0; i < 32; i++) values[at + i] = scale * ((bytes[quants + i]! >> shift) & 15) - minimum;
    }
  }
};

/**
 * Q5_K, 176 bytes, 8 groups of 32: as Q4_K, with 32 bytes of fifth bits before the 4-bit numbers: byte j, bit g is of
 * value j of group g.
 */
export const decodeQ5K: Decoder = (bytes, values, at) => {
  for (let block = 0; block < bytes.length; block += 176) {
    const d = halfAt(bytes, block);
    const m = halfAt(bytes, block + 2);
    for (let group = 0; group < 8; group++, at += 32) {
      const scale = d * sixBitScale(bytes, block + 4, group);
      const minimum = m * sixBitMinimum(bytes, block + 4, group);
      const fifths = block + 16;
      const quants = block + 48 + 32 * (group >> 1);
      const shift = 4 * (group & 1);
      for (let i = 0; i < 32; i++) {
        const q = ((bytes[quants + i]! >> shift) & 15) | (((bytes[fifths + i]! >> group) & 1) << 4);
        values[at + i] = scale * q - minimum;
      }
    }
  }
};

/**
 * The 12 bytes of Q4_K and Q5_K hold eight scales and eight minima. Groups 0–3: scale in the low six bits of byte g,
 * minimum in those of byte 4 + g. Groups 4–7: the low four bits of both share byte 4 + g (scale low, minimum high),
 * and their high two bits are the top two of bytes g − 4 (scale) and g (minimum).
 */
const sixBitScale = (bytes: Uint8Array, at: number, group: number): number =>
  group < 4 ? bytes[at + group]! & 63 : (bytes[at + 4 + group]! & 15) | ((bytes[at + group - 4]! >> 6) << 4);

const sixBitMinimum = (bytes: Uint8Array, at: number, group: number): number =>
  group < 4 ? bytes[at + 4 + group]! & 63 : (bytes[at + 4 + group]! >> 4) | ((bytes[at + group]! >> 6) << 4);

/**
 * Q6_K, 210 bytes, 16 groups of 16:
 *  128 bytes  low four bits: byte 64·h + j holds values j (low half) and 64 + j (high half) of half h
 *   64 bytes  high two bits: byte 32·h + j holds values j, 32 + j, 64 + j, 96 + j of half h, from the lowest bits up
 *   16 bytes  scales, signed
 *    2 bytes  d (f16)
 * value = d · scale · (q − 32), q of six bits
 */
export const decodeQ6K: Decoder = (bytes, values, at) => {
  for (let block = 0; block < bytes.length; block += 210) {
    const d = halfAt(bytes, block + 208);
    for (let group = 0; group < 16; group++, at += 16) {
      const scale = d * signed(bytes[block + 192 + group]!);
      const half = group >> 3;
      const lows = block + 64 * half + 16 * (group & 3);
      const lowShift = 4 * ((group >> 2) & 1);
      const highs = block + 128 + twoBitByte(group);
      const highShift = twoBitShift(group);
      for (let i = 0; i < 16; i++) {
        const q = ((bytes[lows + i]! >> lowShift) & 15) | (((bytes[highs + i]! >> highShift) & 3) << 4);
        values[at + i] = scale * (q - 32);
      }
    }
  }
};

/**
 * Q8_K, 292 bytes: d (f32), 256 signed bytes, then 16 sums of 16 bytes each (i16), which serve dot products and are not
 * needed here. value = d · q
 */
export const decodeQ8K: Decoder = (bytes, values, at) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let block = 0; block < bytes.length; block += 292, at += 256) {
    const d = view.getFloat32(block, true);
    for (let i = 0; i < 256; i++) values[at + i] = d * signed(bytes[block + 4 + i]!);
  }
};

/**
 * IQ4_XS, 136 bytes, 8 groups of 32:
 *    2 bytes  d (f16)
 *    2 bytes  high two bits of the scales: bits 2·g and the next of this 16-bit number
 *    4 bytes  low four bits of the scales, group g in byte ⌊g/2⌋, even groups in the low half
 *  128 bytes  4-bit numbers: byte 16·g + j holds values j (low half) and 16 + j (high half) of group g
 * value = d · (scale − 32) · level[q], with the levels of IQ4_NL
 */
export const decodeIQ4XS: Decoder = (bytes, values, at) => {
  for (let block = 0; block < bytes.length; block += 136) {
    const d = halfAt(bytes, block);
    const highs = bytes[block + 2]! | (bytes[block + 3]! << 8);
    for (let group = 0; group < 8; group++, at += 32) {
      const low = (bytes[block + 4 + (group >> 1)]! >> (4 * (group & 1))) & 15;
      const high = (highs >> (2 * group)) & 3;
      const scale = d * ((low | (high << 4)) - 32);
      const quants = block + 8 + 16 * group;
      for (let i = 0; i < 16; i++) {
        const pair = bytes[quants + i]!;
        values[at + i] = scale * unevenLevels[pair & 15]!;
        values[at + 16 + i] = scale * unevenLevels[pair >> 4]!;
      }
    }
  }
};
