import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DataError, TeacherError } from '../../src/base/errors.ts';
import type { Message } from '../../src/base/message.ts';
import { openRecorded } from '../../src/teacher/recorded.ts';
import type { Teacher } from '../../src/teacher/teacher.ts';
import { temporaryFolder } from './fixtures/make.ts';

function file(name: string, text: string): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, text);
  return path;
}

async function ask(teacher: Teacher, messages: Message[]) {
  const request = { model: 'recorded', messages, parameters: { maxTokens: 9 }, sample: 3 };
  const [answer] = await teacher.ask([request], { idempotencyKeys: ['x'] });
  return answer;
}

const user = (content: string): Message => ({ role: 'user', content });

test('JSON Lines: messages with answer or output, instruction with and without input', async () => {
  const path = file(
    'r.jsonl',
    [
      '{"messages":[{"role":"system","content":"S"},{"role":"user","content":"U"}],"answer":"A"}',
      '{"messages":[{"role":"user","content":"U2"}],"output":"O"}',
      '',
      '{"instruction":"I","input":"N","output":"IN"}',
      '{"instruction":"I","input":"","output":"alone"}',
    ].join('\n'),
  );
  const teacher = openRecorded(path);
  expect(teacher).toMatchObject({
    name: 'recorded:r.jsonl',
    model: expect.stringMatching(/^recorded:[0-9a-f]{12}$/),
    paid: false,
    batchSize: 64,
    concurrency: 1,
  });
  expect(await ask(teacher, [{ role: 'system', content: 'S' }, user('U')])).toEqual({
    text: 'A',
    finishReason: 'stop',
    usage: undefined,
    raw: { file: path, row: 1 },
  });
  expect(await ask(teacher, [user('U2')])).toMatchObject({ text: 'O' });
  expect(await ask(teacher, [user('I\n\nN')])).toMatchObject({ text: 'IN', raw: { row: 4 } });
  expect(await ask(teacher, [user('I')])).toMatchObject({ text: 'alone' });
});

test('a JSON array, as Alpaca has it', async () => {
  const path = file('a.json', JSON.stringify([{ instruction: 'I', input: '', output: 'O' }], null, 2));
  expect(await ask(openRecorded(path), [user('I')])).toMatchObject({ text: 'O', raw: { row: 0 } });
});

test('what is not recorded is a TeacherError that quotes the prompt and names the file, and is not retried', async () => {
  const path = file('r.jsonl', '{"instruction":"I","output":"O"}\n');
  const error = await ask(openRecorded(path), [user(`Who ${'x'.repeat(500)}`)]);
  expect(error).toBeInstanceOf(TeacherError);
  expect(error).toMatchObject({ retryable: false });
  expect((error as TeacherError).message).toContain(path);
  expect((error as TeacherError).message).toContain('"Who xxx');
  expect((error as TeacherError).message.length).toBeLessThan(path.length + 200);
  // The same words in another role are another prompt.
  expect(await ask(openRecorded(path), [{ role: 'system', content: 'I' }])).toBeInstanceOf(TeacherError);
});

test('the same prompt twice: fine with one answer, a DataError that names both rows with two', () => {
  expect(() => openRecorded(file('r.jsonl', '{"instruction":"I","output":"O"}\n'.repeat(2)))).not.toThrow();
  const path = file(
    'r.jsonl',
    '{"instruction":"I","output":"O"}\n{"messages":[{"role":"user","content":"I"}],"answer":"P"}\n',
  );
  expect(() => openRecorded(path)).toThrow(DataError);
  expect(() => openRecorded(path)).toThrow(/r\.jsonl:2: the same prompt as row 1/);
});

test('every broken row is named', () => {
  const rows = [
    'null',
    '{"instruction":"I"}',
    '{"output":"O"}',
    '{"messages":[{"role":"robot","content":"U"}],"answer":"A"}',
    '{"messages":[],"answer":"A"}',
    '{"instruction":"I","input":5,"output":"O"}',
  ];
  try {
    openRecorded(file('r.jsonl', rows.join('\n')));
    expect.unreachable();
  } catch (error) {
    expect((error as DataError).issues.map((issue) => issue.row)).toEqual([1, 2, 3, 4, 5, 6]);
  }
});
