import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConversations, validateFile } from '../../../src/data/formats.ts';
import { temporaryFolder } from '../../teacher/fixtures/make.ts';

function write(...rows: unknown[]): string {
  const file = join(temporaryFolder(), 'rows.jsonl');
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
}

const turns = (...texts: string[]) =>
  texts.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));

/** What is wrong with a row, as `path: message`. */
const issuesOf = (row: unknown): string[] =>
  validateFile(write(row)).issues.map(({ path, message }) => `${path}: ${message}`);

describe('OpenAI fine-tuning rows', () => {
  test('an answer of weight 0 is context; developer is system; empty lists of tools are none', () => {
    const messages = [
      { role: 'developer', content: 'S' },
      { role: 'user', content: 'A', weight: null },
      { role: 'assistant', content: 'B', weight: 0 },
      { role: 'user', content: 'C' },
      { role: 'assistant', content: 'D', weight: 1, tool_calls: null },
    ];
    const file = write({ messages, tools: [], parallel_tool_calls: false });
    expect(readConversations(file)[0]?.messages).toEqual([
      { role: 'system', content: 'S' },
      { role: 'user', content: 'A' },
      { role: 'assistant', content: 'B', weight: 0 },
      { role: 'user', content: 'C' },
      { role: 'assistant', content: 'D' },
    ]);
  });

  test.each<[string, unknown, string[]]>([
    [
      'tools',
      {
        messages: [...turns('A'), { role: 'assistant', content: null, tool_calls: [{ id: 'x' }] }],
        tools: [{ type: 'function' }],
      },
      [
        'tools: expected a conversation without tools: calls of tools cannot be learned',
        'messages[1].content: expected a string, got null',
        'messages[1].tool_calls: expected a conversation without tools: calls of tools cannot be learned',
      ],
    ],
    [
      'weights',
      {
        messages: [
          { role: 'user', content: 'A', weight: 1 },
          { role: 'assistant', content: 'B', weight: 0.5 },
        ],
      },
      [
        "messages[0].weight: expected a weight on an assistant's turn, got one on the user's",
        'messages[1].weight: expected 0 or 1, got 0.5',
      ],
    ],
    [
      'nothing to learn',
      { messages: [...turns('A'), { role: 'assistant', content: 'B', weight: 0 }] },
      ['messages: expected an answer to learn, found none but with weight 0'],
    ],
  ])('%s', (_, row, expected) => {
    expect(issuesOf(row)).toEqual(expected);
  });
});
