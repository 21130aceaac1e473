import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'report-cli-'));
afterAll(() => rmSync(scratch, { recursive: true }));

it.each([
  ['a language there is not', ['report', scratch, '--language', 'fr'], /--language.*en, zh/],
  ['nothing to report on', ['report'], /missing required argument 'folders'/],
  ['several without a place to go', ['report', scratch, join(scratch, 'b')], /expected --out/],
  ['a folder of something else', ['report', scratch, '--out', join(scratch, 'out')], /known are: the output folder/],
] as const)('`report` refuses %s', async (_, args, message) => {
  const { code, stderr } = await understudy(args);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});
