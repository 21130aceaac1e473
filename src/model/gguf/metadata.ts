/** Typed looks into a GGUF file's metadata; each throws DataError that names the key, what is wanted and what is there. */
import { DataError } from '../../base/errors.ts';
import { type GgufValue, showValue } from './cursor.ts';
import type { Gguf } from './reader.ts';

export function refuse(gguf: Gguf, path: string, message: string, hint?: string): never {
  throw new DataError(gguf.path, { path, message }, hint === undefined ? {} : { hint });
}

export function wholeNumber(gguf: Gguf, key: string, fallback?: number): number {
  const value = gguf.metadata.get(key) ?? fallback;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  return refuse(gguf, key, `expected a whole number above 0, got ${showValue(value)}`);
}

/** A decimal that was stored as float32 (9.9999997e-6 is 1e-5): float32 holds 7 digits. */
export function float32Number(gguf: Gguf, key: string, fallback?: number): number {
  const value = gguf.metadata.get(key) ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return Number(value.toPrecision(7));
  return refuse(gguf, key, `expected a number above 0, got ${showValue(value)}`);
}

export function optionalId(gguf: Gguf, key: string): number | null {
  const value = gguf.metadata.get(key);
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  return refuse(gguf, key, `expected a token id, got ${showValue(value)}`);
}

export function list(gguf: Gguf, key: string, type: 'string'): readonly string[];
export function list(gguf: Gguf, key: string, type: 'number'): readonly number[];
export function list(gguf: Gguf, key: string, type: 'string' | 'number'): readonly GgufValue[] {
  const value = gguf.metadata.get(key);
  if (Array.isArray(value) && value.every((element) => typeof element === type)) return value;
  return refuse(gguf, key, `expected an array of ${type}s, got ${showValue(value)}`);
}
