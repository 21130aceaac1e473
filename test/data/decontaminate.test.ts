import { describe, expect, test } from 'vitest';
import { contaminated } from '../../src/data/decontaminate.ts';
import type { Conversation } from '../../src/data/records.ts';

const row = (id: string, ...users: string[]): Conversation => ({
  id,
  messages: users.flatMap((content) => [
    { role: 'user', content } as const,
    { role: 'assistant', content: 'one two three four five six seven eight nine ten' } as const,
  ]),
  provenance: { source: 'imported' },
});

const find = (user: string, prompt: string) => contaminated([row('r', user)], [{ id: 'q', prompt }]);

describe('English', () => {
  const question = 'Explain to a child why the leaves of many trees turn red in autumn.';

  test('eight words in a row are too many, whatever case, punctuation and line breaks do', () => {
    expect(find('Tell me: WHY the\nleaves, of many trees (turn) red?', question)).toEqual([
      { row: 0, id: 'r', question: 'q', reason: 'shared run', detail: 'why the leaves of many trees turn red' },
    ]);
  });

  test('seven words in a row are not', () => {
    expect(
      find('I wonder if the leaves of many trees turn red when they are ill, and what to do then', question),
    ).toEqual([]);
  });

  test('a question of fewer words is found whole', () => {
    const short = 'What is the capital of Peru?';
    expect(
      find('Please tell me what is the capital of Peru and how many people live there today', short),
    ).toMatchObject([{ reason: 'shared run', detail: 'what is the capital of peru' }]);
    expect(find('What is the capital of Chile, and what is the food of Peru like in the mountains?', short)).toEqual(
      [],
    );
    // “Perugia” begins like it, but is another word.
    expect(find('I ask myself what is the capital of Perugia or whether it has one at all', short)).toEqual([]);
  });

  test('a text with other words in between is found by ROUGE-L', () => {
    // Words 1, 8 of 14 changed: 12 of 14 in common, no run of 8.
    const similar = 'Tell to a child why the leaves on many trees turn red in autumn.';
    expect(find(similar, question)).toEqual([
      { row: 0, id: 'r', question: 'q', reason: 'similar', detail: 'ROUGE-L F 0.857' },
    ]);
  });
});

describe('Chinese', () => {
  const question = '假如月亮明天突然消失，地球上的潮汐会怎样？';

  test('thirteen characters in a row are too many, twelve are not', () => {
    expect(find('请想一想：月亮明天突然消失，地球上的河流会不会倒着流', question)).toEqual([]);
    expect(find('请你想一想：如果月亮明天突然消失，地球上的潮水还会不会有', question)).toMatchObject([
      { reason: 'shared run', detail: '月 亮 明 天 突 然 消 失 地 球 上 的 潮' },
    ]);
  });

  test('a Latin word is one unit: what Chinese tasks of programming have in common is not a copy', () => {
    const coding = '用 JavaScript 写一个函数：按指定的键给对象数组去重。';
    expect(find('用 JavaScript 写一个函数，把手机号的中间四位换成星号。', coding)).toEqual([]);
  });

  test('a shorter question is found whole, full-width letters or not', () => {
    expect(
      find('我想知道解方程４x－５＝２x＋１３是怎么做的，请一步一步讲给我听', '解方程：4x-5=2x+13。'),
    ).toMatchObject([{ reason: 'shared run' }]);
  });
});

test('every row and every question is told, each pair once, any turn of the user counts, answers do not', () => {
  const questions = [
    { id: 'q1', prompt: 'Name the largest of the four moons that Galileo saw.' },
    { id: 'q2', prompt: 'one two three four five six seven eight nine ten' },
    { id: 'q3', prompt: 'Why does a cork float on water?' },
  ];
  const rows = [
    row('clean', 'Say something nice about the weather.'),
    row('late', 'Hello.', 'Name the largest of the four moons that Galileo saw.'),
    row('both', 'Why does a cork float on water? Name the largest of the four moons that Galileo saw.'),
  ];
  expect(contaminated(rows, questions).map((found) => [found.row, found.id, found.question])).toEqual([
    [1, 'late', 'q1'],
    [2, 'both', 'q1'],
    [2, 'both', 'q3'],
  ]);
});

test('nothing is contaminated by nothing: no questions, no rows, a question without a word', () => {
  expect(contaminated([row('r', 'A')], [])).toEqual([]);
  expect(contaminated([], [{ id: 'q', prompt: 'A' }])).toEqual([]);
  expect(find('??? !!!', '???')).toEqual([]);
});
