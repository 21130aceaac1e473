import { describe, expect, it } from 'vitest';
import type { EvaluationRow } from '../../src/evaluate/rows.ts';
import { sampleHtml, splitSamples } from '../../src/report/samples.ts';
import { english } from '../../src/report/words.ts';
import { makeInput } from './fixture.ts';

const { rows } = makeInput().evaluation;
const first = rows[0]!;
const named = (ids: string): EvaluationRow[] =>
  ids.split(' ').map((id) => ({ ...first, id, language: id.slice(0, 2), category: id.slice(2, 3) }));

describe('splitSamples', () => {
  it('takes languages in turn, and in each its categories in turn', () => {
    const { shown, rest } = splitSamples(named('ena1 ena2 ena3 enb1 zha1 enb2 zha2 zhb1'), 5);
    expect(shown.map(({ id }) => id)).toEqual(['ena1', 'zha1', 'enb1', 'zhb1', 'ena2']);
    expect(rest.map(({ id }) => id)).toEqual(['ena3', 'enb2', 'zha2']);
  });

  it('goes on with the others where one language has run out', () => {
    const { shown } = splitSamples(named('ena1 ena2 ena3 zha1'), 4);
    expect(shown.map(({ id }) => id)).toEqual(['ena1', 'zha1', 'ena2', 'ena3']);
  });

  it('shows 12 with both languages, loses none, and does not look at how they went', () => {
    const { shown, rest } = splitSamples(rows);
    expect(shown).toHaveLength(12);
    expect(shown.filter(({ language }) => language === 'zh')).toHaveLength(6);
    expect(new Set([...shown, ...rest])).toEqual(new Set(rows));
    const turned = rows.map((row) => ({ ...row, rougeAfter: 1 - row.rougeAfter }));
    expect(splitSamples(turned).shown.map(({ id }) => id)).toEqual(shown.map(({ id }) => id));
    expect(splitSamples([])).toEqual({ shown: [], rest: [] });
  });
});

const answersOf = ({ before, after }: EvaluationRow) => [
  { kind: 'before', title: 'Student before', answer: before },
  { kind: 'after', title: 'Student after', answer: after },
];

describe('sampleHtml', () => {
  it('says where an answer is empty, cut off or unreadable', () => {
    const row: EvaluationRow = {
      ...first,
      before: { text: ' ', finishReason: 'length' },
      judge: [
        { before: undefined, after: undefined, raw: '', call: 'a' },
        { before: 3, after: 7, raw: '7 3', call: 'b' },
      ],
    };
    const { markup } = sampleHtml(row, answersOf(row), 1, english);
    expect(markup).toContain('Student before (cut off at the length limit)');
    expect(markup).toContain('(empty answer)');
    expect(markup).toContain('before shown first: unreadable');
    expect(markup).toContain('after shown first: 3 → 7');
  });

  it('sets fenced code apart without changing a character', () => {
    const text = 'Use this:\n```js\nlet a = `<b>`;\n```\nDone.\n```\nopen end';
    const row = { ...first, after: { text, finishReason: 'stop' } };
    const { markup } = sampleHtml(row, answersOf(row), 1, english);
    expect(markup).toContain(
      'Use this:\n<code>```js\nlet a = `&lt;b&gt;`;\n```</code>\nDone.\n<code>```\nopen end</code></div>',
    );
  });
});
