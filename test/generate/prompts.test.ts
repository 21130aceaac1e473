import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DataError } from '../../src/base/errors.ts';
import { fillPrompt, promptFile, readPrompt } from '../../src/generate/prompts.ts';
import { temporaryFolder } from '../teacher/fixtures/make.ts';

const write = (text: string): string => {
  const file = join(temporaryFolder(), 'prompt.txt');
  writeFileSync(file, text);
  return file;
};

test('a version and parts, white space around them taken off', () => {
  const file = write('version: 12\r\n---\r\nFirst\r\n\r\nmore {number}\r\n---\r\nSecond\r\n');
  expect(readPrompt(file, 2, ['number'])).toEqual({ version: 12, parts: ['First\n\nmore {number}', 'Second'] });
});

test('places are filled in wherever they stand; a value is not looked into', () => {
  expect(fillPrompt('{a} and {b}, {a}', { a: '{b}', b: 2 })).toBe('{b} and 2, {b}');
});

test('everything that is wrong with a prompt file is named', () => {
  try {
    readPrompt(write('Hello {name}\n---\nA {number} {task}'), 2, ['number']);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).issues.map(({ message }) => message)).toEqual([
      'expected a first line "version: <n>", then a line "---"',
      'expected 2 parts after "---", found 1',
      'expected places number, found {task}',
    ]);
  }
});

test.each(['en', 'zh'])('the prompt for new instructions in %s is whole', (language) => {
  const { version, parts } = readPrompt(promptFile(`instructions-${language}`), 2, ['number']);
  expect(version).toBeGreaterThan(0);
  for (const part of parts) expect(part).toContain('{number}');
});
