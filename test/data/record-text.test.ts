import { expect, test } from 'vitest';
import { instructionText, wholeText } from '../../src/data/record-text.ts';

const turns = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'First?' },
  { role: 'assistant', content: 'One.' },
  { role: 'user', content: 'Second?' },
  { role: 'assistant', content: '' },
];

test.each([
  ['Alpaca', { instruction: 'Add.', input: '1 2', output: '3' }, 'Add.', 'Add.\n\n1 2\n3'],
  ['Alpaca without an answer', { instruction: 'Add.', input: '', output: '' }, 'Add.', 'Add.\n'],
  ['an instruction alone', { instruction: 'Add.' }, 'Add.', 'Add.'],
  ['an instruction with its input', { instruction: 'Add.', input: '1 2' }, 'Add.', 'Add.\n1 2'],
  ['messages', { messages: turns }, 'First?', 'Be brief.\nFirst?\nOne.\nSecond?\n'],
  [
    'ShareGPT',
    {
      conversations: [
        { from: 'human', value: 'First?' },
        { from: 'gpt', value: 'One.' },
      ],
    },
    'First?',
    'First?\nOne.',
  ],
  ['a preference', { prompt: 'Which?', chosen: 'This.', rejected: 'That.' }, 'Which?', 'Which?\nThis.\nThat.'],
  ['an instruction that is none', { instruction: ['Add.'], output: '3' }, undefined, '\n3'],
  ['what has no shape', { text: 'words' }, undefined, undefined],
])('%s', (_, row, instruction, whole) => {
  expect(instructionText(row)).toBe(instruction);
  expect(wholeText(row)).toBe(whole);
});
