import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { place } from '../../src/base/owner.ts';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-dedupe-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const folder = (): string => mkdtempSync(join(scratch, 'case-'));
const dedupe = (...args: string[]) =>
  // Words alone: where libtorch would be, there is nothing.
  understudy(['data', 'dedupe', ...args], { env: { UNDERSTUDY_HOME: join(scratch, 'nowhere') } });

const toLines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const fromLines = (file: string): unknown[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

describe('data dedupe --novelty', () => {
  const golden = JSON.parse(readFileSync('test/golden/novelty.json', 'utf8')) as {
    texts: string[];
    rejected: Record<string, [row: number, nearest: number, numerator: number, denominator: number][]>;
  };
  // Members of all kinds, and all inputs and answers alike: the instruction alone counts.
  const rows = golden.texts.map((instruction, i) => ({
    instruction,
    input: '',
    output: 'the same',
    score: i / 7,
    tags: [null, { deep: '写\u2028' }],
  }));

  it.each(Object.keys(golden.rejected))('%s keeps the very rows that rouge_score keeps', async (threshold) => {
    const [input, out] = [join(folder(), 'rows.json'), join(folder(), 'kept.json')];
    writeFileSync(input, JSON.stringify(rows));
    const { code, stdout } = await dedupe('--input', input, '--novelty', threshold, '--out', out, '--json');
    const rejected = golden.rejected[threshold] ?? [];
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      asked: rows.length,
      kept: rows.length - rejected.length,
      dropped: rejected.length,
    });
    const isRejected = new Set(rejected.map(([row]) => row));
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual(rows.filter((_, i) => !isRejected.has(i)));
    expect(fromLines(`${out}.rejects.jsonl`)).toEqual(
      rejected.map(([row, nearest, numerator, denominator]) => ({
        file: input,
        row,
        reason: 'too similar',
        duplicateOf: { file: input, row: nearest },
        f: numerator / denominator,
        value: rows[row],
      })),
    );
    expect(readdirSync(join(out, '..')).sort()).toEqual(['kept.json', 'kept.json.rejects.jsonl']);
  });
});

describe('data dedupe', () => {
  const chat = (id: string, question: string, answer: string) => ({
    id,
    conversations: [
      { from: 'human', value: question },
      { from: 'gpt', value: answer },
    ],
  });
  const long = Array.from({ length: 80 }, (_, i) => `word${i}`).join(' ');
  const one = [
    chat('a', 'Why?', long),
    chat('b', 'Why?', long),
    chat('c', 'How do ships float?', 'They displace water.'),
  ];
  const two = [
    chat('d', 'Why?', `${long} indeed`),
    chat('e', 'How do boats float?', 'Well.'),
    chat('f', 'Who?', 'Me.'),
  ];

  it('runs each filter that is asked for, in order, over several files; the first row stays', async () => {
    const [first, second, out] = [join(folder(), '1.jsonl.gz'), join(folder(), '2.json'), join(folder(), 'kept')];
    writeFileSync(first, gzipSync(`${toLines(one.slice(0, 1))}\n${toLines(one.slice(1))}`));
    writeFileSync(second, JSON.stringify(two, null, 1));
    const { code, stdout, stderr } = await dedupe(
      ...['--input', first, second, '--exact', '--novelty', '0.7', '--near', '0.9', '--out', out],
    );
    expect(stderr).toContain('looking for duplicates');
    expect(code).toBe(0);
    expect(stdout.split('\n').map((line) => line.trim().split(/\s{2,}/))).toEqual([
      ['filter', 'asked', 'dropped'],
      ['exact duplicate', '6', '1'],
      // Why? and How do … float? again.
      ['too similar', '5', '2'],
      ['near duplicate', '3', '0'],
      ['all', '6', '3'],
      [`3 rows kept: ${out}; what went: ${out}.rejects.jsonl`],
      [''],
    ]);
    // In the form of the first file.
    expect(fromLines(out)).toEqual([one[0], one[2], two[2]]);
    expect(fromLines(`${out}.rejects.jsonl`)).toMatchObject([
      { file: first, row: 3, reason: 'exact duplicate', duplicateOf: { file: first, row: 1 }, value: one[1] },
      { file: second, row: 0, reason: 'too similar', duplicateOf: { file: first, row: 1 }, f: 1 },
      { file: second, row: 1, reason: 'too similar', duplicateOf: { file: first, row: 4 }, f: 0.75 },
    ]);
  });

  it('leaves out what is not asked for; an array in gzip stays an array, in gzip where the name says so', async () => {
    const [input, out] = [join(folder(), 'all.json.gz'), join(folder(), 'kept.json.gz')];
    writeFileSync(input, gzipSync(JSON.stringify([...one, ...two])));
    const { stdout } = await dedupe('--input', input, '--near', '0.9', '--out', out, '--json');
    expect(JSON.parse(stdout)).toEqual({ asked: 6, kept: 4, dropped: 2 });
    expect(JSON.parse(gunzipSync(readFileSync(out)).toString())).toEqual([one[0], one[2], two[1], two[2]]);
    expect(fromLines(`${out}.rejects.jsonl`)).toMatchObject([
      { row: 1, reason: 'near duplicate', duplicateOf: { row: 0 }, jaccard: 1 },
      { row: 3, reason: 'near duplicate', duplicateOf: { row: 0 } },
    ]);
  });

  it('sweeps away what a killed one left beside its output, and touches none of a living process', async () => {
    const [input, out] = [join(folder(), 'all.json'), join(folder(), 'kept.json')];
    writeFileSync(input, JSON.stringify(one));
    const leave = (pid: number) =>
      ['dedupe', 'files'].map((name) => {
        const left = `.${name}.tmp-${pid}-${place}-0123abcd`;
        mkdirSync(join(out, '..', left));
        writeFileSync(join(out, '..', left, 'rows'), 'half');
        return left;
      });
    leave(999_999_999);
    const living = leave(process.pid);
    expect((await dedupe('--input', input, '--exact', '--near', '0.9', '--out', out)).code).toBe(0);
    expect(readdirSync(join(out, '..')).sort()).toEqual([...living, 'kept.json', 'kept.json.rejects.jsonl']);
    for (const name of living) expect(readFileSync(join(out, '..', name, 'rows'), 'utf8')).toBe('half');
  });

  it('keeps the form of the input whatever the name of the output, and replaces what was there', async () => {
    const [input, out] = [join(folder(), 'all.json'), join(folder(), 'kept.jsonl')];
    writeFileSync(input, JSON.stringify([one[0], one[0]]));
    writeFileSync(out, 'old');
    writeFileSync(`${out}.rejects.jsonl`, 'old');
    expect((await dedupe('--input', input, '--exact', '--out', out)).code).toBe(0);
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual([one[0]]);
    expect(fromLines(`${out}.rejects.jsonl`)).toHaveLength(1);
  });

  const good = join(scratch, 'good.jsonl');
  writeFileSync(good, toLines(one));
  const alpaca = join(scratch, 'alpaca.json');
  writeFileSync(alpaca, '[{"instruction":"a","output":"b"}]');
  const broken = join(scratch, 'broken.jsonl');
  writeFileSync(broken, `${toLines(one)}{"id":\n{"text":"x"}\n{"id":12345678901234567890,"instruction":"a"}\n`);

  it.each<[string, string[], RegExp[]]>([
    ['no filter', ['--input', good], [/no filter is asked for/, /--novelty 0\.7/]],
    ['no such file', ['--input', join(scratch, 'absent.json'), '--exact'], [/no such file.*absent\.json/]],
    ['files of two forms', ['--input', good, alpaca, '--exact'], [/good\.jsonl is sharegpt.*alpaca\.json is alpaca/]],
    ['a threshold in per cent', ['--input', good, '--novelty', '70'], [/from 0 to 1, such as 0\.7, got "70"/]],
    ['a near of nothing', ['--input', good, '--near', '0'], [/near: expected a similarity above 0/]],
    [
      'broken rows',
      ['--input', broken, '--novelty', '0.7'],
      [
        /broken\.jsonl:4: expected one JSON value/,
        /broken\.jsonl:5: expected an instruction/,
        /:6: .*12345678901234567/,
      ],
    ],
  ])('refuses %s and writes nothing', async (_, args, messages) => {
    const where = folder();
    const { code, stdout, stderr } = await dedupe(...args, '--out', join(where, 'kept.json'));
    for (const message of messages) expect(stderr).toMatch(message);
    expect([code, stdout, readdirSync(where)]).toEqual([2, '', []]);
  });

  it('does not write over what it reads', async () => {
    const { code, stderr } = await dedupe('--input', good, '--exact', '--out', good);
    expect([code, stderr]).toEqual([2, expect.stringContaining('is one of the files to read')]);
    expect(fromLines(good)).toEqual(one);
    expect(existsSync(`${good}.rejects.jsonl`)).toBe(false);
  });
});
