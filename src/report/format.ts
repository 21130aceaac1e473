/**
 * Numbers as the report writes them, the same in page, Markdown and terminal: fixed places, a real minus sign,
 * thousands apart. A number that is none is called so; nothing is rounded to a prettier value.
 */
import type { Interval } from '../base/intervals.ts';

export const minus = '\u2212';

export function fixed(value: number, places: number): string {
  if (Number.isNaN(value)) return 'not a number';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : `${minus}∞`;
  const text = Math.abs(value).toFixed(places);
  // What rounds to zero has no sign: "−0.00" would look like a finding.
  return value < 0 && Number(text) !== 0 ? minus + text : text;
}

/** With its sign, as differences are written; zero has none. */
export function signed(value: number, places: number): string {
  const text = fixed(value, places);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

export function interval({ low, high }: Interval, places: number): string {
  return `${signed(low, places)} to ${signed(high, places)}`;
}

export function count(value: number): string {
  if (!Number.isFinite(value)) return fixed(value, 0);
  return value.toLocaleString('en-US', { maximumFractionDigits: 1 });
}

/** `3 of 40 (7.5 %)`: no share without what it is a share of. */
export function share(part: number, whole: number): string {
  return whole === 0
    ? `${count(part)} of 0`
    : `${count(part)} of ${count(whole)} (${fixed((100 * part) / whole, 1)} %)`;
}

/** Four places: a single call may cost less than a cent. */
export const dollars = (value: number): string => `$${fixed(value, 4)}`;

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return fixed(seconds, 0);
  if (seconds < 60) return `${fixed(seconds, 1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

export const plural = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

const languageNames: Readonly<Record<string, string>> = { en: 'English', zh: 'Chinese' };

/** `en` → English; a language without a name here keeps its code. */
export const languageName = (code: string): string => languageNames[code] ?? code;
