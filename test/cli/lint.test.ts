import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-lint-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const folder = (): string => mkdtempSync(join(scratch, 'case-'));
/** Words alone: where libtorch would be, there is nothing. */
const lint = (...args: string[]) =>
  understudy(['data', 'lint', ...args], { env: { UNDERSTUDY_HOME: join(scratch, 'nowhere') } });
const toLines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const fromLines = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
const reading = (file: string) => fromLines(readFileSync(file, 'utf8'));

const bread = 'Bread rises because yeast eats the sugar in the flour and gives off gas, which the dough holds.';
const rows = [
  { id: 'a', instruction: 'Name a river in Spain.', output: 'The Ebro.', note: { kept: [1, 2.5] } },
  { instruction: 'Name a tree.', output: '' },
  { instruction: 'Describe the dog in the photo.', input: '', output: 'As an AI, I cannot see it.' },
  { instruction: 'Name a few trees.', output: 'Oak, ash', finishReason: 'length' },
  { instruction: '面包为什么会发酵？', output: bread, language: 'zh' },
  { instruction: 7, output: 'x' },
  { instruction: '说出一条河。', output: '长江。' },
];

describe('data lint', () => {
  it('keeps sound rows as they are and says of each other why it went', async () => {
    const [file, out] = [join(folder(), 'rows.jsonl.gz'), join(folder(), 'sound.jsonl')];
    writeFileSync(file, gzipSync(`${toLines(rows)}{"instruction": "torn`));
    const { code, stdout, stderr } = await lint(file, '--out', out, '--json');
    expect([code, stderr]).toEqual([0, expect.stringContaining('linting')]);
    expect(JSON.parse(stdout)).toEqual({
      out,
      rejects: `${out}.rejects.jsonl`,
      rules: ['empty', 'echo', 'cut', 'refusal', 'repetition', 'untranslated', 'wrong-language', 'not-text'],
      rows: 8,
      kept: 2,
      rejected: 6,
      findings: { empty: 1, refusal: 1, 'not-text': 1, cut: 1, 'wrong-language': 1 },
      broken: 2,
      withoutSource: 0,
    });
    expect(reading(out)).toEqual([rows[0], rows[6]]);
    expect(reading(`${out}.rejects.jsonl`)).toEqual([
      {
        file,
        row: 2,
        reason: 'empty',
        findings: [{ rule: 'empty', turn: 1, detail: 'nothing is there' }],
        value: rows[1],
      },
      {
        file,
        row: 3,
        reason: 'not-text, refusal',
        findings: [
          { rule: 'not-text', turn: 0, detail: 'in the photo' },
          { rule: 'refusal', turn: 1, detail: 'As an AI' },
        ],
        value: rows[2],
      },
      {
        file,
        row: 4,
        reason: 'cut',
        findings: [{ rule: 'cut', turn: 1, detail: 'finish reason length' }],
        value: rows[3],
      },
      expect.objectContaining({ row: 5, reason: 'wrong-language', value: rows[4] }),
      { file, row: 6, reason: 'broken row', detail: 'instruction: expected a string, got a number', value: rows[5] },
      { file, row: 8, reason: 'broken row', detail: expect.stringContaining('expected one JSON value') },
    ]);
  });

  it('asks the rules it is told to, of several files and forms, and counts in a table', async () => {
    const where = folder();
    const [alpaca, messages, out] = ['a.json', 'm.jsonl', 'sound.json.gz'].map((name) => join(where, name)) as [
      string,
      string,
      string,
    ];
    const chat = {
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello. How do you do and' },
      ],
    };
    writeFileSync(alpaca, JSON.stringify(rows.slice(0, 4)));
    writeFileSync(messages, toLines([chat, { messages: [{ role: 'user', content: 'Hi' }] }]));
    const { code, stdout } = await lint(alpaca, messages, '--rules', 'cut, empty', '--out', out);
    expect(code).toBe(0);
    expect(stdout.split('\n').map((line) => line.trim().split(/\s{2,}/))).toEqual([
      ['empty', '1'],
      ['cut', '2'],
      ['broken row', '1'],
      ['rejected', '4'],
      ['all', '6'],
      [`2 rows kept: ${out}; what went: ${out}.rejects.jsonl`],
      [''],
    ]);
    expect(JSON.parse(gunzipSync(readFileSync(out)).toString())).toEqual([rows[0], rows[2]]);
    expect(reading(`${out}.rejects.jsonl`)).toMatchObject([
      { row: 1 },
      { row: 3 },
      { file: messages, row: 1, reason: 'cut' },
      { file: messages, row: 2, reason: 'broken row' },
    ]);
  });

  it('leaves an empty answer alone where nobody asks for it', async () => {
    const [file, out] = [join(folder(), 'rows.json'), join(folder(), 'sound.jsonl')];
    writeFileSync(file, JSON.stringify(rows.slice(0, 2)));
    expect((await lint(file, '--rules', 'echo', '--out', out)).code).toBe(0);
    expect(reading(out)).toEqual(rows.slice(0, 2));
  });

  it('holds translations against their sources, by id or by place', async () => {
    const where = folder();
    const [en, zh, out] = ['en.jsonl', 'zh.jsonl', 'sound.jsonl'].map((name) => join(where, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(
      en,
      toLines([
        { id: 'x', instruction: 'How far is 240 km?', output: 'Far.' },
        { instruction: 'Run `ls`.', output: 'Done.' },
      ]),
    );
    const translated = [
      { instruction: '运行列表。', output: '好。' },
      { instruction: '运行 `ls`。', output: '好。' },
      { id: 'x', instruction: '204公里有多远？', output: '很远。' },
      { id: 'y', instruction: '99公里有多远？', output: '很远。' },
    ];
    writeFileSync(zh, toLines(translated));
    const { stdout, stderr } = await lint(zh, '--rules', 'lost-in-translation', '--source', en, '--out', out, '--json');
    // Row 1 stands in the place of a source that has an id.
    expect(JSON.parse(stdout)).toMatchObject({
      rows: 4,
      kept: 3,
      findings: { 'lost-in-translation': 1 },
      withoutSource: 2,
    });
    expect(stderr).toContain('2 rows have no row in --source');
    expect(reading(`${out}.rejects.jsonl`)).toMatchObject([
      { row: 3, findings: [{ detail: 'number "240" is missing' }] },
    ]);
  });

  const good = join(scratch, 'good.json');
  writeFileSync(good, JSON.stringify(rows.slice(0, 1)));
  const pairs = join(scratch, 'pairs.jsonl');
  writeFileSync(pairs, toLines([{ prompt: 'a', chosen: 'b', rejected: 'c' }]));

  it.each<[string, string[], RegExp[]]>([
    ['a rule that is none', [good, '--rules', 'cut,refusl'], [/names of rules, got "refusl"/, /did you mean refusal/]],
    ['a rule without its sources', [good, '--rules', 'lost-in-translation'], [/translated from/, /--source/]],
    ['comparisons', [pairs], [/expected conversations, found answers that are compared/]],
    ['no such file', [join(scratch, 'absent.json')], [/no such file.*absent\.json/]],
    ['a file of no form', ['package.json'], [/expected rows/]],
  ])('refuses %s and writes nothing', async (_, args, messages) => {
    const where = folder();
    const { code, stdout, stderr } = await lint(...args, '--out', join(where, 'sound.jsonl'));
    for (const message of messages) expect(stderr).toMatch(message);
    expect([code, stdout, readdirSync(where)]).toEqual([2, '', []]);
  });

  it('does not write over what it reads', async () => {
    const { code, stderr } = await lint(good, '--out', good);
    expect([code, stderr]).toEqual([2, expect.stringContaining('is one of the files to read')]);
    expect(JSON.parse(readFileSync(good, 'utf8'))).toEqual(rows.slice(0, 1));
  });
});
