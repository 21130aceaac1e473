import { describe, expect, it } from 'vitest';
import { parseInput, parseInstance } from '../../src/generate/parse-instance.ts';

describe('parseInstance', () => {
  it.each<[string, string, string, string]>([
    ['both on their lines', 'Input: b, a\nOutput: a, b', 'b, a', 'a, b'],
    ['both over several lines', 'Input:\nb\na\n\nOutput:\na\n\nb\n', 'b\na', 'a\n\nb'],
    ['chatter before, bold headings', 'Sure!\n\n**Input:** b\r\n**Output:** a', 'b', 'a'],
    ['an input that is none', 'Input: none\nOutput: The Ebro.', '', 'The Ebro.'],
    ['an input that is empty', 'Input:\nOutput: The Ebro.', '', 'The Ebro.'],
    ['an output that is empty', 'Input: b\nOutput:', 'b', ''],
    ['Chinese', '输入：二、一\n输出：一、二', '二、一', '一、二'],
    ['Chinese, without an input', '输入：无\n输出：长江。', '', '长江。'],
    ['headings inside a line are text', 'Input: say Output: now\nOutput: Input: now', 'say Output: now', 'Input: now'],
  ])('%s', (_, reply, input, output) => {
    expect(parseInstance(reply)).toEqual({ input, output });
  });

  it.each<[string, string]>([
    ['no heading', 'The Ebro.'],
    ['no input', 'Output: The Ebro.'],
    ['no output', 'Input: Spain'],
    ['the wrong order', 'Output: The Ebro.\nInput: Spain'],
    ['a second instance', 'Input: Spain\nOutput: The Ebro.\nInput: France\nOutput: The Loire.'],
    ['a heading that may be the text’s', 'Input: Tidy this.\nOutput: 5\nOutput: Tidied.'],
  ])('not: %s', (_, reply) => {
    expect(parseInstance(reply)).toBeUndefined();
  });
});

describe('parseInput', () => {
  it.each<[string, string, string]>([
    ['one line', 'Input: Snow fell.', 'Snow fell.'],
    ['several', 'Here it is.\nInput:\nSnow fell.\n\nAnd fell.', 'Snow fell.\n\nAnd fell.'],
    ['none', 'Input: None.', ''],
    ['Chinese', '输入：下雪了。', '下雪了。'],
  ])('%s', (_, reply, input) => {
    expect(parseInput(reply)).toBe(input);
  });

  it.each(['Snow fell.', 'Input: Snow.\nInput: Sun.', 'Input: Snow.\nLabel: cold', '输入：雪\n输出：冷'])(
    'not %j',
    (reply) => {
      expect(parseInput(reply)).toBeUndefined();
    },
  );
});
