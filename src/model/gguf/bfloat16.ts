/** float32 to bfloat16, without libtorch: conversion runs before it is installed. */

/** Rounded to nearest, ties to even; no number stays no number. Little-endian as in memory. */
export function toBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const rounded = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i]!;
    const isNumber = (word & 0x7fffffff) <= 0x7f800000;
    rounded[i] = isNumber ? (word + 0x7fff + ((word >>> 16) & 1)) >>> 16 : (word >>> 16) | 0x40;
  }
  return rounded;
}
