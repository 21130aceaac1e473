import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import { countTasks, streamTasks, type Task } from '../../src/data/tasks.ts';

const folder = mkdtempSync(join(tmpdir(), 'tasks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

async function all(...files: string[]): Promise<Task[]> {
  const tasks: Task[] = [];
  for await (const task of streamTasks(files)) tasks.push(task);
  return tasks;
}

it('takes what was asked out of rows of every form, answered or not', async () => {
  const alpaca = file(
    'alpaca.json.gz',
    gzipSync(
      JSON.stringify([
        { instruction: 'Add.', input: '1 and 2', output: '' },
        { instruction: 'Sing.', id: 7 },
      ]),
    ),
  );
  const chats = file(
    'chats.jsonl',
    [
      {
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: 'Hi?' },
          { role: 'assistant', content: 'Yes.' },
        ],
      },
      {
        id: 's',
        conversations: [
          { from: 'human', value: 'Who?' },
          { from: 'gpt', value: 'Me.' },
        ],
      },
    ]
      .map((row) => JSON.stringify(row))
      .join('\n'),
  );
  expect((await all(alpaca, chats)).map(({ id, instruction, input }) => [id, instruction, input])).toEqual([
    [`${alpaca}:0`, 'Add.', '1 and 2'],
    ['7', 'Sing.', ''],
    [`${chats}:1`, 'Hi?', ''],
    ['s', 'Who?', ''],
  ]);
  expect(await countTasks([alpaca, chats])).toBe(4);
});

it('names every row without a task', async () => {
  const broken = file(
    'broken.jsonl',
    '{"instruction": "Fine."}\n{"instruction": " "}\n[1]\n{"instruction": "x", "input": 3}\n{"answer": 1}\n',
  );
  await expect(all(broken)).rejects.toMatchObject({
    issues: [
      { row: 2, message: 'expected an instruction, or a first turn of the user' },
      { row: 3, message: 'expected an object, got an array' },
      { row: 4, message: 'input: expected a string' },
      { row: 5, message: 'expected an instruction, or a first turn of the user' },
    ],
  });
});
