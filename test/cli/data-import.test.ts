import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { at, data, json, jsonl, lines, read, write } from './data-run.ts';
import { tinyModel } from './program.ts';

describe('data import', () => {
  const dump = write(
    'dump.jsonl',
    jsonl([
      {
        id: 'one',
        conversations: [
          { from: 'gpt', value: '<p>Welcome.</p>' },
          { from: 'human', value: 'How do I make green tea that is not bitter?' },
          { from: 'chatgpt', value: '<p>Use <strong>cooler</strong> water, and less time.</p>' },
          { from: 'user', value: 'How cool should the water be?' },
          { from: 'gpt', value: '<p>About 75 degrees.</p>' },
        ],
      },
      {
        id: 'two',
        conversations: [
          { from: 'human', value: '绿茶怎么泡才不苦？' },
          { from: 'gpt', value: '水凉一点，时间短一点。' },
        ],
      },
      {
        id: 'three',
        conversations: [
          { from: 'human', value: 'Wie wird grüner Tee nicht bitter?' },
          { from: 'gpt', value: 'Mit kühlerem Wasser.' },
        ],
      },
    ]),
  );

  it('makes dumps training data, and says what it did', async () => {
    const result = await json('import', dump, '--out', at('tea.jsonl'), '--keep-lang', 'en,zh', '--card', at('tea.md'));
    expect(result).toMatchObject({
      rows: 3,
      kept: 2,
      written: 2,
      rejected: { 'language de': 1 },
      mended: { 'HTML made Markdown': 1, 'answers before the first question left out': 1 },
      rejects: at('tea.rejects.jsonl'),
    });
    expect(lines(read('tea.jsonl')).map(({ id, language }) => [id, language])).toEqual([
      ['one', 'en'],
      ['two', 'zh'],
    ]);
    expect(lines(read('tea.rejects.jsonl'))).toMatchObject([{ row: 3, reason: 'language de' }]);
    expect(read('tea.md')).toContain('| import | 3 | language de | 1 |');
    expect((await data('validate', at('tea.jsonl'))).code).toBe(0);
  });

  it('cuts by the tokens of a model', async () => {
    const args = ['import', dump, '--out', at('cut.jsonl.gz'), '--model', tinyModel, '--template', 'chatml'];
    const whole = await json(...args, '--max-tokens', '10000');
    expect(whole).toMatchObject({ written: 3, cut: 0 });
    expect(await json(...args, '--max-tokens', '150')).toMatchObject({ written: 4, cut: 1 });
    expect(await json(...args, '--max-tokens', '20')).toMatchObject({
      kept: 0,
      rejected: { 'question and answer too long': 4 },
    });
  });

  it.each<[string, string[], RegExp]>([
    ['tokens without a model', ['--max-tokens', '100'], /expected --max-tokens and --model together/],
    ['a model that is none', ['--max-tokens', '100', '--model', at('nothing')], /no such model/],
    ['a language that is none', ['--keep-lang', 'en,xx'], /expected ISO 639-1 codes of languages, got "xx"/],
    ['languages without one', ['--keep-lang', 'en,'], /expected codes with commas/],
    ['a form of comparisons', ['--to', 'preference'], /messages, openai, sharegpt/],
  ])('%s', async (_, flags, message) => {
    const { code, stderr } = await data('import', dump, '--out', at('none.jsonl'), ...flags);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
    expect(existsSync(at('none.jsonl'))).toBe(false);
  });
});
