/**
 * Decoders of plain numbers and of blocks of 32 values with one scale. All multi-byte numbers are little-endian.
 * Where a block packs 4-bit numbers, its 16 bytes hold values 0–15 in their low halves and 16–31 in their high halves.
 *
 * Source: block layouts of ggml-common.h.
 */
import { type Decoder, halfAt, halves, signed } from './block.ts';

export const decodeF32: Decoder = (bytes, values, at) => {
  new Uint8Array(values.buffer).set(bytes, at * 4);
};

export const decodeF16: Decoder = (bytes, values, at) => {
  const half = halves();
  for (let i = 0; i < bytes.length; i += 2) values[at++] = half[bytes[i]! | (bytes[i + 1]! << 8)]!;
};

/** bfloat16 is the upper half of a float32. */
export const decodeBF16: Decoder = (bytes, values, at) => {
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < bytes.length; i += 2) bits[at++] = (bytes[i]! << 16) | (bytes[i + 1]! << 24);
};

/** 34 bytes: scale (f16), 32 signed bytes. value = scale · q */
export const decodeQ8Zero: Decoder = (bytes, values, at) => {
  for (let block = 0; block < bytes.length; block += 34, at += 32) {
    const scale = halfAt(bytes, block);
    for (let i = 0; i < 32; i++) values[at + i] = scale * signed(bytes[block + 2 + i]!);
  }
};

/** 18 bytes: scale (f16), 16 bytes of 4-bit numbers. value = scale · (q − 8) */
export const decodeQ4Zero: Decoder = (bytes, values, at) => {
  for (let block = 0; block < bytes.length; block += 18, at += 32) {
    const scale = halfAt(bytes, block);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[block + 2 + i]!;
      values[at + i] = scale * ((pair & 15) - 8);
      values[at + 16 + i] = scale * ((pair >> 4) - 8);
    }
  }
};

/** 20 bytes: scale (f16), minimum (f16), 16 bytes of 4-bit numbers. value = scale · q + minimum */
export const decodeQ4One: Decoder = (bytes, values, at) => {
  for (let block = 0; block < bytes.length; block += 20, at += 32) {
    const scale = halfAt(bytes, block);
    const minimum = halfAt(bytes, block + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[block + 4 + i]!;
      values[at + i] = scale * (pair & 15) + minimum;
      values[at + 16 + i] = scale * (pair >> 4) + minimum;
    }
  }
};

/** 22 bytes: scale (f16), 32 fifth bits (bit i is value i's), 16 bytes of 4-bit numbers. value = scale · (q − 16) */
export const decodeQ5Zero: Decoder = (bytes, values, at) => {
  for (let block = 0; block < bytes.length; block += 22, at += 32) {
    const scale = halfAt(bytes, block);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[block + 6 + i]!;
      values[at + i] = scale * ((pair & 15) + 16 * fifthBit(bytes, block + 2, i) - 16);
      values[at + 16 + i] = scale * ((pair >> 4) + 16 * fifthBit(bytes, block + 2, 16 + i) - 16);
    }
  }
};

/** 24 bytes: scale (f16), minimum (f16), then as in Q5_0. value = scale · q + minimum */
export const decodeQ5One: Decoder = (bytes, values, at) => {
  for (let block = 0; block < bytes.length; block += 24, at += 32) {
    const scale = halfAt(bytes, block);
    const minimum = halfAt(bytes, block + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[block + 8 + i]!;
      values[at + i] = scale * ((pair & 15) + 16 * fifthBit(bytes, block + 4, i)) + minimum;
      values[at + 16 + i] = scale * ((pair >> 4) + 16 * fifthBit(bytes, block + 4, 16 + i)) + minimum;
    }
  }
};

const fifthBit = (bytes: Uint8Array, at: number, value: number): number =>
  (bytes[at + (value >> 3)]! >> (value & 7)) & 1;

/** The sixteen levels of IQ4_NL and IQ4_XS, closer together around zero (`kvalues_iq4nl` of ggml-common.h). */
export const unevenLevels = Int8Array.of(
  ...[-127, -104, -83, -65, -49, -35, -22, -10],
  ...[1, 13, 25, 38, 53, 69, 89, 113],
);

/** 18 bytes: scale (f16), 16 bytes of 4-bit numbers. value = scale · level[q] */
export const decodeIQ4NL: Decoder = (bytes, values, at) => {
  for (let block = 0; block < bytes.length; block += 18, at += 32) {
    const scale = halfAt(bytes, block);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[block + 2 + i]!;
      values[at + i] = scale * unevenLevels[pair & 15]!;
      values[at + 16 + i] = scale * unevenLevels[pair >> 4]!;
    }
  }
};
