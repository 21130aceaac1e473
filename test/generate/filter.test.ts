import { describe, expect, test } from 'vitest';
import { rejectInstruction } from '../../src/generate/filter.ts';
import type { FinishReason } from '../../src/teacher/teacher.ts';

const judge = (
  text: string,
  more: { language?: 'en' | 'zh'; finishReason?: FinishReason; closed?: boolean; examples?: string[] } = {},
) => {
  const { language = 'en', finishReason = 'stop', closed = false, examples = [] } = more;
  return rejectInstruction({ text, closed }, { language, finishReason, examples });
};

const words = (count: number): string => Array.from({ length: count }, (_, i) => `word${i}`).join(' ');
const han = (count: number): string =>
  Array.from({ length: count }, (_, i) => String.fromCodePoint(0x4e00 + i)).join('');

test('a proper instruction passes', () => {
  expect(judge('Explain why the sky looks red in the evening.')).toBeUndefined();
  expect(judge('说明傍晚的天空为什么发红。', { language: 'zh' })).toBeUndefined();
});

test('length: 3 to 150 words, 4 to 300 Chinese characters', () => {
  expect(judge('Count sheep')).toEqual({ reason: 'too short', detail: 'words: 2' });
  expect([judge(words(3)), judge(words(150))]).toEqual([undefined, undefined]);
  expect(judge(words(151))).toEqual({ reason: 'too long', detail: 'words: 151' });
  expect(judge('写首诗', { language: 'zh' })).toEqual({ reason: 'too short', detail: 'characters: 3' });
  expect([judge(han(4), { language: 'zh' }), judge(han(300), { language: 'zh' })]).toEqual([undefined, undefined]);
  expect(judge(han(301), { language: 'zh' })).toEqual({ reason: 'too long', detail: 'characters: 301' });
});

describe('an answer that was cut', () => {
  const half = 'Explain why the sky looks red in the';
  test('is rejected where its instruction has no end', () => {
    expect(judge(half, { finishReason: 'length' })).toEqual({ reason: 'cut' });
    expect(judge('说明傍晚的天空为什么', { finishReason: 'length', language: 'zh' })).toEqual({ reason: 'cut' });
  });
  test('passes where the instruction ended before the cut', () => {
    expect(judge('Why is the sky red?', { finishReason: 'length' })).toBeUndefined();
    expect(judge('天空为什么发红？', { finishReason: 'length', language: 'zh' })).toBeUndefined();
    expect(judge(half, { finishReason: 'length', closed: true })).toBeUndefined();
  });
  test('without a full stop passes where the teacher itself ended it', () => {
    expect(judge(half)).toBeUndefined();
  });
});

test('an answer that a filter withheld is none', () => {
  expect(judge('Why is the sky red?', { finishReason: 'content-filter' })).toEqual({
    reason: 'no answer',
    detail: 'content-filter',
  });
});

test('nothing', () => {
  expect(judge('')).toEqual({ reason: 'empty' });
});

test('the other language', () => {
  expect(judge('Explain the evening sky.', { language: 'zh' })).toMatchObject({ reason: 'wrong language' });
  expect(judge('说明傍晚的天空为什么发红。')).toMatchObject({ reason: 'wrong language' });
  expect(judge('Translate 傍晚的天空 into English, please.')).toBeUndefined();
});

test('what text cannot do', () => {
  expect(judge('Describe what you see in this picture.')).toEqual({ reason: 'not text alone', detail: 'this picture' });
});

test('going in circles', () => {
  expect(judge(`Tell me ${'the end of the line and '.repeat(6)}`)).toMatchObject({ reason: 'repetition' });
});

test('a copy of an example, or a part of one, or one with something around it', () => {
  const examples = ['Name the planets in order, please.', '写一首关于春天的诗，四行。'];
  const copy = { reason: 'copy of an example', detail: examples[0] };
  expect(judge('name the planets, in order please!', { examples })).toEqual(copy);
  expect(judge('Name the planets', { examples })).toEqual(copy);
  expect(judge('First name the planets in order, please. Then sing.', { examples })).toEqual(copy);
  expect(judge('Name the planet in order.', { examples })).toBeUndefined();
  expect(judge('请写一首关于春天的诗，四行', { examples, language: 'zh' })).toMatchObject({
    reason: 'copy of an example',
  });
});
