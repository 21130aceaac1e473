import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { curveOf } from '../../recipes/best-of-curve.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-curve-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const write = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(join(scratch, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return join(scratch, name);
};

const candidate = (text: string, reward: number | null, rank: number, more: object = {}) => ({
  text,
  reward,
  rank,
  ...more,
});
const file = write('ranked.jsonl', [
  { id: 'a', prompt: 'A', candidates: [candidate('the cat sat', 1, 2), candidate('no such thing here', 2, 1)] },
  { id: 'b', prompt: 'B', candidates: [candidate('one', 0, 1), candidate('two', -1, 2), candidate('', null, 3)] },
]);

describe('curveOf', () => {
  it('has length in words, and ROUGE-L of what is picked where there are references', () => {
    const references = write('references.jsonl', [
      { id: 'b', output: 'one' },
      { id: 'a', output: 'the cat sat' },
      { id: 'other', output: 'x' },
    ]);
    const curve = curveOf({ file, references });
    expect(curve).toMatchObject({ prompts: 2, poolSize: 2, unscored: 1, referenced: 2 });
    const [first, second] = curve.points;
    expect(first).toMatchObject({ n: 1, reward: { mean: 0.5 }, length: { mean: 2.25 } });
    expect(second).toMatchObject({ n: 2, reward: { mean: 1 }, length: { mean: 2.5 } });
    // a: 1 and 0, picks 0; b: 1 and 0, picks 1.
    expect([first, second].map((point) => point!.values['ROUGE-L']?.mean)).toEqual([0.5, 0.5]);
    expect(curve.groups.map(({ values }) => values['ROUGE-L']?.mean)).toEqual([0.5, 0.5]);
  });

  it('has the judge’s score where all candidates have one', () => {
    const scored = write('scored.jsonl', [
      { id: 'a', prompt: 'A', candidates: [candidate('x', 1, 2, { score: 3 }), candidate('y', 2, 1, { score: 9 })] },
    ]);
    expect(curveOf({ file: scored }).points.map(({ values }) => values['judge score']?.mean)).toEqual([6, 9]);
    expect(curveOf({ file }).points[0]!.values).toEqual({});
  });

  it('takes references in order where they have no ids, and refuses those that fit nothing', () => {
    const inOrder = write('in-order.jsonl', [{ output: 'the cat sat' }, { output: 'two' }]);
    expect(curveOf({ file, references: inOrder }).points.map(({ values }) => values['ROUGE-L']?.mean)).toEqual([
      0.5, 0,
    ]);
    const short = write('short.jsonl', [{ output: 'the cat sat' }]);
    expect(() => curveOf({ file, references: short })).toThrow('as many references as prompts, 2, got 1');
    const other = write('other.jsonl', [{ id: 'z', output: 'x' }]);
    expect(() => curveOf({ file, references: other })).toThrow('no reference has the id of a prompt');
  });

  it('refuses rows with nothing to pick from', () => {
    const single = write('single.jsonl', [{ id: 'a', prompt: 'A', candidates: [candidate('x', 1, 1)] }]);
    expect(() => curveOf({ file: single })).toThrow('no prompt has two answers with a reward');
  });
});
