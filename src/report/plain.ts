/**
 * The report's input as it may be written down: credentials out, and numbers that JSON cannot hold as the strings
 * "NaN", "Infinity" and "-Infinity" instead of null. Members that are undefined stay so: JSON leaves them out.
 */
import { withoutSecrets } from '../base/redact.ts';

export function plain(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}

/** As `plain`, for configurations. */
export const plainWithoutSecrets = (value: unknown): unknown => plain(withoutSecrets(value));
