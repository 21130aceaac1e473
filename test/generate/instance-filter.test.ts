import { describe, expect, it } from 'vitest';
import { type InstanceTask, rejectInstance, rejectRepeated } from '../../src/generate/instance-filter.ts';

const task: InstanceTask = {
  text: 'Put the words in order.',
  language: 'en',
  isClassification: false,
  shownInputs: ['sheep goat', ''],
};
const labelled: InstanceTask = { ...task, text: '判断冷热。', language: 'zh', isClassification: true };

describe('rejectInstance', () => {
  it.each<[string, Partial<InstanceTask>, string, string]>([
    ['an instance', task, 'b a', 'a b'],
    ['one without an input, though an example had none too', task, '', 'a b'],
    ['a label, however short, in whatever language', labelled, '下雪了。', 'cold'],
    ['an output that holds the input', task, 'b a', 'From "b a" comes a b.'],
  ])('keeps %s', (_, one, input, output) => {
    expect(rejectInstance({ input, output }, { ...task, ...one })).toBeUndefined();
  });

  const loop = 'the cat sat on the mat and '.repeat(8);
  it.each<[string, InstanceTask, string, string]>([
    ['empty', task, 'b a', ''],
    ['no input', labelled, '', '冷'],
    ['input is the output', task, 'b  a\n', 'B a'],
    ['unfinished', task, 'These words:', 'a b'],
    ['unfinished', labelled, '今天：', '冷'],
    ['unfinished', task, 'b a', 'In order they are:'],
    ['copy of an example', task, 'Sheep goat', 'goat sheep'],
    ['repetition', labelled, loop, '冷'],
    ['repetition', task, 'b a', loop],
    ['as an AI', task, 'b a', 'As an AI, I cannot put words in order.'],
    ['wrong language', task, 'b a', '这些词按顺序排列是甲乙丙丁戊己庚辛壬癸和其他的词。'],
    ['echo', task, 'c b a', 'Put the words in order. c b a'],
  ])('%s', (reason, one, input, output) => {
    expect(rejectInstance({ input, output }, one)).toMatchObject({ reason });
  });
});

describe('rejectRepeated', () => {
  const reasons = (...pairs: [string, string][]) =>
    rejectRepeated(pairs.map(([input, output]) => ({ input, output }))).map((one) => one?.reason);
  const duplicate = 'duplicate';
  const other = 'same input, another output';

  it('of equal instances the first stays', () => {
    expect(reasons(['b', 'x'], ['a', 'y'], ['B ', 'X'], ['b', 'x'])).toEqual([
      undefined,
      undefined,
      duplicate,
      duplicate,
    ]);
  });

  it('an input with two outputs is believed in neither', () => {
    expect(reasons(['b', 'x'], ['a', 'y'], ['b', 'z'])).toEqual([other, undefined, other]);
    expect(reasons(['b', 'x'], ['b', 'x'], ['b', 'z'])).toEqual([other, duplicate, other]);
  });

  it('without an input the first output stays', () => {
    expect(reasons(['', 'x'], ['', 'y'], ['', 'x'])).toEqual([undefined, other, duplicate]);
  });
});
