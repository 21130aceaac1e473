/** What the tests of the data commands share: files in a folder that is deleted, and the commands as a user runs them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { understudy } from './program.ts';

export const scratch = mkdtempSync(join(tmpdir(), 'understudy-data-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

export const at = (name: string): string => join(scratch, name);
export function write(name: string, content: string): string {
  writeFileSync(at(name), content);
  return at(name);
}
export const jsonl = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
export const lines = <Row = Record<string, unknown>>(text: string): Row[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
export const read = (name: string): string => readFileSync(at(name), 'utf8');
export const data = (...args: string[]) => understudy(['data', ...args]);
/** What a command that has to succeed prints with --json. */
export async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await data(...args, '--json');
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('error:')]);
  return JSON.parse(stdout) as T;
}
