import { describe, expect, test } from 'vitest';
import { importTurns } from '../../src/data/import-turns.ts';

/** `h: text` is a turn of the human's; g: gpt's; others by their name. */
const conversations = (...turns: string[]) => ({
  conversations: turns.map((turn) => {
    const [from, value] = turn.split(/: ?(.*)/s) as [string, string];
    return { from: { h: 'human', g: 'gpt' }[from] ?? from, value };
  }),
});
const summary = (value: unknown, html: 'auto' | 'always' | 'never' = 'auto') => {
  const imported = importTurns(value, html);
  if ('reason' in imported) return imported.reason;
  return [imported.messages.map(({ role, content }) => `${role[0]}: ${content}`), ...imported.mends];
};

describe('roles', () => {
  test.each<[string, unknown, unknown]>([
    ['in order as they are', conversations('system: S', 'h: A', 'g: B'), [['s: S', 'u: A', 'a: B']]],
    [
      'sites and cases',
      conversations('User: A', 'ChatGPT: B', 'human: C', 'bing: D'),
      [['u: A', 'a: B', 'u: C', 'a: D']],
    ],
    [
      'two in a row are one',
      conversations('h: A', 'h: B', 'g: C', 'gpt: D'),
      [['u: A\n\nB', 'a: C\n\nD'], 'turns of one speaker merged'],
    ],
    [
      'answers first, questions last',
      conversations('g: Hello!', 'h: A', 'g: B', 'h: C'),
      [['u: A', 'a: B'], 'answers before the first question left out', 'questions after the last answer left out'],
    ],
    [
      'an empty answer goes, and the questions around it are one',
      conversations('h: A', 'g: ', 'h: B', 'g: C'),
      [['u: A\n\nB', 'a: C'], 'empty turns left out', 'turns of one speaker merged'],
    ],
    ['only answers', conversations('g: A', 'g: B'), 'no question with an answer'],
    ['only questions', conversations('h: A'), 'no question with an answer'],
    ['nothing', conversations(), 'no question with an answer'],
    ['a system turn later', conversations('h: A', 'g: B', 'system: S', 'h: C', 'g: D'), 'system turn in the middle'],
    ['tools', conversations('h: A', 'function_call: f()', 'observation: 1', 'g: B'), 'turns of tools'],
    ['somebody else', conversations('h: A', 'nobody: B'), 'unknown speaker'],
  ])('%s', (_, value, expected) => {
    expect(summary(value)).toEqual(expected);
  });
});

describe('rows', () => {
  const turns = [
    { role: 'developer', content: 'S' },
    { role: 'user', content: '甲' },
    { role: 'assistant', content: '乙' },
  ];
  test.each<[string, unknown, unknown]>([
    ['messages', { messages: turns }, [['s: S', 'u: 甲', 'a: 乙']]],
    ['items', { items: conversations('h: A', 'g: B').conversations, title: 'x' }, [['u: A', 'a: B']]],
    ['a system prompt beside', { system: 'S', ...conversations('h: A', 'g: B') }, [['s: S', 'u: A', 'a: B']]],
    ['an empty one is none', { system: '', ...conversations('h: A', 'g: B') }, [['u: A', 'a: B']]],
    ['no object', 'text', 'broken row'],
    ['no turns', { instruction: 'A', output: 'B' }, 'broken row'],
    ['a turn that is none', { conversations: ['A'] }, 'broken row'],
    ['nobody speaks', { conversations: [{ value: 'A' }] }, 'broken row'],
    ['no text', { conversations: [{ from: 'human', value: 7 }] }, 'broken row'],
  ])('%s', (_, value, expected) => {
    expect(summary(value)).toEqual(expected);
  });

  test('what is broken is named', () => {
    expect(importTurns({ conversations: [{ from: 'human', value: 7 }] }, 'auto')).toEqual({
      reason: 'broken row',
      detail: 'turn 0: expected a text, got a number',
    });
    expect(importTurns(conversations('h: A', 'tool: B'), 'auto')).toEqual({
      reason: 'turns of tools',
      detail: 'turn 1 is of "tool"',
    });
  });
});

describe('HTML', () => {
  const page = conversations('h: <b>A</b>?', 'g: <p>Use <code>x</code>.</p>', 'h: <p>C</p>', 'g: No tags.');
  const fenced = conversations('h: A', 'g: <p>B</p>', 'h: C', 'g: ```html\n<p>D</p>\n```');
  const mend = 'HTML made Markdown';

  test('answers that are pages are made Markdown, questions never', () => {
    expect(summary(page)).toEqual([['u: <b>A</b>?', 'a: Use `x`.', 'u: <p>C</p>', 'a: No tags.'], mend]);
  });

  test('where code blocks are written in Markdown, HTML is what is spoken of', () => {
    expect(summary(fenced)).toEqual([['u: A', 'a: <p>B</p>', 'u: C', 'a: ```html\n<p>D</p>\n```']]);
  });

  test('never and always', () => {
    expect(summary(page, 'never')).toHaveLength(1);
    const mixed = conversations('h: A', 'g: Some <em>text</em>');
    expect([summary(mixed), summary(mixed, 'always')]).toEqual([
      [['u: A', 'a: Some <em>text</em>']],
      [['u: A', 'a: Some *text*'], mend],
    ]);
  });

  test('an answer of tags alone is an empty one', () => {
    expect(summary(conversations('h: A', 'g: <p><button>Copy</button></p>'))).toBe('no question with an answer');
  });
});
