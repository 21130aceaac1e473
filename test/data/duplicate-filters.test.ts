import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type DuplicateFilter, exactFilter, nearFilter, noveltyFilter } from '../../src/data/duplicate-filters.ts';
import { parseThreshold } from '../../src/data/novelty.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-filters-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const offerAll = (filter: DuplicateFilter, rows: readonly Record<string, unknown>[]) =>
  rows.map((members, row) => filter.offer(row, members));

describe('exactFilter', () => {
  test('white space around, composed characters, the order of members, id and provenance make no difference', () => {
    const verdicts = offerAll(exactFilter(), [
      { id: 1, instruction: 'Say caf\u00e9.', input: '', output: 'caf\u00e9' },
      { id: 2, output: ' cafe\u0301\n', instruction: 'Say cafe\u0301. ', input: '' },
      { instruction: 'Say caf\u00e9.', input: '', output: 'caf\u00e9', provenance: { source: 'seed' } },
      { id: 3, messages: [{ role: 'user', content: 'Hi ' }] },
      { id: 4, messages: [{ content: '\tHi', role: 'user' }] },
    ]);
    expect(verdicts).toEqual([undefined, { row: 1, of: 0 }, { row: 2, of: 0 }, undefined, { row: 4, of: 3 }]);
  });

  test('anything else does', () => {
    const rows = [
      { instruction: 'a b', output: 'c' },
      { instruction: 'a  b', output: 'c' },
      { instruction: 'A b', output: 'c' },
      { instruction: 'a b', output: 'c', input: '' },
      { instruction: 'a b', output: 'c', input: null },
      { instruction: 'a b', output: 'c', category: 'x' },
      // NFKC would make an fi of the ligature.
      { instruction: 'a b', output: '\ufb01' },
      { instruction: 'a b', output: 'fi' },
      { instruction: 'a b', output: ['c'] },
      { instruction: 'a b', output: 1 },
      { instruction: 'a b', output: '1' },
      { messages: [{ role: 'user', content: 'c' }] },
      { messages: [{ role: 'user', content: 'c', id: 1 }] },
    ];
    expect(offerAll(exactFilter(), rows)).toEqual(rows.map(() => undefined));
  });
});

describe('noveltyFilter', () => {
  test('compares instructions, not inputs and answers, with those that stay', () => {
    const output = 'the very same answer to all of them';
    const verdicts = offerAll(noveltyFilter(parseThreshold('0.7')), [
      { instruction: 'Name three rivers in Spain', input: '', output },
      { instruction: 'Name three lakes in Spain', input: 'other', output: 'other' },
      { instruction: 'Name four lakes in Spain', input: '', output },
    ]);
    expect(verdicts).toEqual([undefined, { row: 1, of: 0, f: 0.8 }, undefined]);
  });

  test('names the row, whatever went before it', () => {
    const filter = noveltyFilter(parseThreshold('0.7'));
    expect(filter.offer(10, { instruction: 'one two three four' })).toBeUndefined();
    expect(filter.offer(11, { instruction: 'one two three four' })).toEqual({ row: 11, of: 10, f: 1 });
    expect(filter.offer(17, { instruction: 'five six seven' })).toBeUndefined();
    expect(filter.offer(18, { instruction: 'five six, seven!' })).toEqual({ row: 18, of: 17, f: 1 });
  });

  test('takes the first turn of the user where there is no instruction, and says where there is neither', () => {
    const verdicts = offerAll(noveltyFilter(parseThreshold('0.7')), [
      { instruction: 'Name three rivers in Spain', output: 'x' },
      {
        conversations: [
          { from: 'gpt', value: 'Hello' },
          { from: 'human', value: 'Name three rivers in Spain' },
          { from: 'gpt', value: 'Ebro' },
        ],
      },
      { text: 'Name three rivers in Spain' },
      { instruction: 7, output: 'x' },
    ]);
    const problem = { problem: 'expected an instruction, or a turn of the user, to compare by' };
    expect(verdicts).toEqual([undefined, { row: 1, of: 0, f: 1 }, problem, problem]);
  });
});

describe('nearFilter', () => {
  const long = (word: string): string => Array.from({ length: 60 }, (_, i) => `${word}${i}`).join(' ');

  test('compares all that a row says, and tells at the end', async () => {
    const filter = nearFilter(0.8, mkdtempSync(join(scratch, 'near-')));
    const rows = [
      { instruction: 'Repeat.', input: long('a'), output: long('b') },
      { instruction: 'Repeat.', input: long('a'), output: long('c') },
      {
        messages: [
          { role: 'user', content: `Repeat. ${long('a')}` },
          { role: 'assistant', content: long('b') },
        ],
      },
      { text: long('a') },
    ];
    const problem = { problem: 'expected texts to compare by, in a row of a known shape' };
    expect(rows.map((members, i) => filter.offer(5 * i, members))).toEqual([undefined, undefined, undefined, problem]);
    const found = [];
    for await (const one of filter.rest(() => {})) found.push(one);
    filter.close();
    expect(found).toEqual([{ row: 10, of: 0, jaccard: 1 }]);
  });
});
