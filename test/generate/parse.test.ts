import { expect, test } from 'vitest';
import { parseInstruction } from '../../src/generate/parse.ts';

test.each<[string, string, string]>([
  ['a plain task', 'Name two rivers.', 'Name two rivers.'],
  ['its number', '7. Name two rivers.', 'Name two rivers.'],
  ['a number in brackets', '(7) Name two rivers.', 'Name two rivers.'],
  ['a number in bold', '**7.** Name two rivers.', 'Name two rivers.'],
  ['a number and a heading', 'Task 7: Name two rivers.', 'Name two rivers.'],
  ['a heading', '**Instruction:** Name two rivers.', 'Name two rivers.'],
  ['a number, then a heading', '7. Instruction: Name two rivers.', 'Name two rivers.'],
  ['quotes', '"Name two rivers."', 'Name two rivers.'],
  ['curly quotes after a number', '7. “Name two rivers.”', 'Name two rivers.'],
  ['quotes inside stay', '"Yes" or "no": is the Po a river?', '"Yes" or "no": is the Po a river?'],
  ['chatter', 'Sure! Here is another one:\n\n7. Name two rivers.', 'Name two rivers.'],
  ['an introduction', "Here's a new task for you:\nName two rivers.", 'Name two rivers.'],
  [
    'a first line that is the task’s own',
    'Here is a list of words:\nred, blue\nSort it.',
    'Here is a list of words:\nred, blue\nSort it.',
  ],
  ['a number that belongs to the task', '3.5 liters are how many cups?', '3.5 liters are how many cups?'],
  ['a time of day', '10:30 or 11:15, which is nearer to noon?', '10:30 or 11:15, which is nearer to noon?'],
  ['Windows line ends', '7. Sort these:\r\nb, a\r\n', 'Sort these:\nb, a'],
  ['an input', 'Instruction: Sort these.\nInput: b, a', 'Sort these.\n\nb, a'],
  ['an input over lines', '7. Sort these.\n\nInput:\nb\na', 'Sort these.\n\nb\na'],
  ['an input that is none', 'Instruction: Name a river.\nInput: <noinput>', 'Name a river.'],
  ['an input that is none, in words', '7. Name a river.\nInput: N/A', 'Name a river.'],
  ['Chinese number and heading', '第7个任务：说出两条河的名字。', '说出两条河的名字。'],
  ['Chinese number', '7、说出两条河的名字。', '说出两条河的名字。'],
  ['Chinese chatter', '好的，下面是一个新任务：\n7. 说出两条河的名字。', '说出两条河的名字。'],
  [
    'a Chinese first line that is the task’s own',
    '下面这段话有语病：\n他去了学校了。',
    '下面这段话有语病：\n他去了学校了。',
  ],
  ['Chinese quotes', '“说出两条河的名字。”', '说出两条河的名字。'],
  ['Chinese input', '指令：排序。\n输入：二、一', '排序。\n\n二、一'],
  ['Chinese input that is none', '指令：说出一条河。\n输入：无', '说出一条河。'],
  ['nothing', ' \n ', ''],
  ['a number alone', '7.', ''],
])('%s', (_, answer, text) => {
  expect(parseInstruction(answer)).toEqual({ text, closed: false });
});

test.each<[string, string, string]>([
  ['the next number', '7. Name two rivers.\n8. Name a lake.', 'Name two rivers.'],
  ['the next number, the first being 1', '1. Name two rivers.\n2. Name a lake.', 'Name two rivers.'],
  ['any number where the first had none', 'Name two rivers.\n\n8. Name a lake.', 'Name two rivers.'],
  ['a second heading', 'Task: Name two rivers.\nTask: Name a lake.', 'Name two rivers.'],
  ['an output', '7. Name two rivers.\nOutput: The Po and the Ebro.', 'Name two rivers.'],
  ['an answer in bold', 'Name two rivers.\n\n**Answer:** The Po.', 'Name two rivers.'],
  ['an output after an input', 'Sort these.\nInput: b, a\nOutput: a, b', 'Sort these.\n\nb, a'],
  ['a Chinese answer', '说出两条河的名字。\n答案：长江、黄河。', '说出两条河的名字。'],
  ['an output and nothing before it', 'Output: The Po.', ''],
  [
    'a list inside, then the next number',
    '7. Put in order:\n1. boil\n2. cut\n8. Name a lake.',
    'Put in order:\n1. boil\n2. cut',
  ],
])('ends before %s', (_, answer, text) => {
  expect(parseInstruction(answer)).toEqual({ text, closed: true });
});

test('a list inside the task stays, with or without a number before it', () => {
  const task = 'Put the steps in order:\n1. boil\n2. cut\n3. serve';
  expect(parseInstruction(task)).toEqual({ text: task, closed: false });
  expect(parseInstruction(`12. ${task}`)).toEqual({ text: task, closed: false });
});

test.each(['Instruction: Sort these.\nInput: b, a', '7. Sort these.\n\nInput:\nb\na\nOutput: a, b', 'Sort these.'])(
  'an input is left out where it is not wanted: %j',
  (answer) => {
    expect(parseInstruction(answer, false).text).toBe('Sort these.');
  },
);
