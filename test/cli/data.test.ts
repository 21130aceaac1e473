import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { conversationForms, preferenceForms } from '../../cli/commands/data-options.ts';
import { decompressAll } from '../../src/base/compression.ts';
import { writers } from '../../src/data/formats/write.ts';
import { at, data, json, jsonl, lines, read, scratch, write } from './data-run.ts';
import { understudy } from './program.ts';

// The shapes of the field's files, in words of ours.
const alpaca = write(
  'alpaca.json',
  JSON.stringify([
    { instruction: 'Name a tree.', input: '', output: 'An oak.' },
    { instruction: 'Sort these letters.', input: 'c, a, b', output: 'a, b, c' },
    { instruction: '说一种树。', input: '', output: '松树。' },
  ]),
);
const sharegpt = write(
  'sharegpt.json',
  JSON.stringify([
    {
      id: 'tea_0',
      conversations: [
        { from: 'human', value: '红茶和绿茶有什么不同？' },
        { from: 'gpt', value: '红茶是发酵的，绿茶不是。' },
        { from: 'human', value: '哪一种更苦？' },
        { from: 'gpt', value: '绿茶泡久了更苦。' },
      ],
    },
  ]),
);
const openai = write(
  'openai.jsonl',
  jsonl([
    {
      messages: [
        { role: 'system', content: 'Be short.' },
        { role: 'user', content: 'Is ice lighter than water?' },
        { role: 'assistant', content: 'It is not.', weight: 0 },
        { role: 'user', content: 'Really?' },
        { role: 'assistant', content: 'It is lighter.', weight: 1 },
      ],
    },
  ]),
);
const completions = write('completions.jsonl', jsonl([{ prompt: 'The tallest grass is', completion: ' bamboo.' }]));
const scores = write(
  'scores.json',
  JSON.stringify([
    {
      user_input: 'How many legs has a spider?',
      responses_and_scores: [
        { response: 'Six.', source: 'small', score: 2 },
        { response: 'Eight.', source: 'big', score: 9 },
        { response: 'It has eight.', source: 'old', score: 9 },
      ],
    },
    {
      user_input: '蜘蛛有几条腿？',
      responses_and_scores: [
        { response: '八条。', source: 'big', score: 10 },
        { response: '六条。', source: 'small', score: 1 },
      ],
    },
  ]),
);
const ranked = write(
  'ranked.json',
  JSON.stringify([{ instruction: 'Add.', input: '2, 3', output: ['5', 'five or so'] }]),
);
const broken = write(
  'broken.jsonl',
  `${jsonl([
    { instruction: 'Name a bird.', output: 'A wren.' },
    { instruction: 'Name two.', output: '' },
  ])}{"instruction":\n${jsonl([{ instruction: 7, output: 'x' }])}`,
);

describe('the forms', () => {
  it('help and writers know the same', () => {
    const kinds = (kind: string) =>
      Object.entries(writers).flatMap(([name, writer]) => (writer.kind === kind ? [name] : []));
    expect(kinds('conversations')).toEqual(conversationForms);
    expect(kinds('preferences')).toEqual(preferenceForms);
  });
});

describe('data validate', () => {
  it('counts the rows of each form', async () => {
    const files = [alpaca, sharegpt, openai, completions, scores, ranked];
    const { code, stderr, stdout } = await data('validate', ...files);
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toContain(`${alpaca}: 3 rows, alpaca`);
    expect(stderr).toMatch(
      /9 rows: 3 alpaca, 1 sharegpt, 1 messages, 1 prompt-completion, 2 comparison-v2, 1 comparison-pairs/,
    );
    expect(await json('validate', ...files)).toMatchObject({ rows: 9, broken: 0, byForm: { alpaca: 3, messages: 1 } });
  });

  it('names every broken row: file, row, what was expected, what was found', async () => {
    const { code, stderr } = await data('validate', broken);
    expect(code).toBe(2);
    expect(stderr).toContain(`${broken}:2: output: empty answer`);
    expect(stderr).toMatch(/broken\.jsonl:3: expected one JSON value on the line/);
    expect(stderr).toContain(`${broken}:4: instruction: expected a string, got a number`);
    expect(stderr).toContain('3 of 4 rows are broken');
  });

  it('lists more than fit an error, goes on with other files, and prints JSON all the same', async () => {
    const many = write(
      'many.jsonl',
      jsonl(Array.from({ length: 30 }, (_, i) => ({ instruction: `Task ${i}`, output: ' ' }))),
    );
    const noForm = write('no-form.jsonl', jsonl([{ question: 'A' }]));
    const { code, stderr, stdout } = await data('validate', many, alpaca, noForm, '--json');
    expect(code).toBe(2);
    for (let row = 1; row <= 30; row++) expect(stderr).toContain(`${many}:${row}: output: empty answer`);
    expect(stderr).toContain(`${alpaca}: 3 rows, alpaca`);
    expect(stderr).toContain(`${noForm}: expected rows of a known shape`);
    expect(stderr).toMatch(/30 of 33 rows are broken, in 2 of 3 files/);
    const report = JSON.parse(stdout) as { files: { form: string | null; issues: unknown[] }[] };
    expect(report.files.map(({ form, issues }) => [form, issues.length])).toEqual([
      ['alpaca', 30],
      ['alpaca', 0],
      [null, 1],
    ]);
  });
});

describe('data convert', () => {
  it.each<[string, readonly string[]]>([
    [alpaca, ['messages', 'sharegpt', 'alpaca', 'prompt-completion', 'messages']],
    [sharegpt, ['messages', 'alpaca', 'sharegpt', 'messages']],
    [openai, ['messages', 'prompt-completion', 'messages']],
    [scores, ['comparison-v2', 'comparison-v2']],
    [ranked, ['preference', 'comparison-v1', 'comparison-pairs', 'preference']],
  ])('%s through %j keeps every turn', async (file, forms) => {
    const texts = (name: string): string[] => {
      const found: string[] = [];
      JSON.stringify(
        JSON.parse(
          name.endsWith('.json') ? readFileSync(name, 'utf8') : `[${readFileSync(name, 'utf8').trim().split('\n')}]`,
        ),
        (key, value: unknown) => {
          if (typeof value === 'string' && !['id', 'language', 'role', 'from', 'file', 'source'].includes(key))
            found.push(...value.split('\n\n'));
          return value;
        },
      );
      return found.filter((text) => text !== '' && text !== 'imported');
    };
    let input = file;
    for (const [i, form] of forms.entries()) {
      const out = at(
        `through-${form}-${i}${form.startsWith('comparison') || form === 'alpaca' || form === 'sharegpt' ? '.json' : '.jsonl'}`,
      );
      await json('convert', input, '--to', form, '--out', out);
      input = out;
    }
    expect(texts(input)).toEqual(texts(file));
  });

  it('compresses by the name, and reads what it compressed', async () => {
    await json('convert', alpaca, '--to', 'messages', '--out', at('m.jsonl'));
    await json('convert', alpaca, '--to', 'messages', '--out', at('m.jsonl.gz'));
    await json('convert', at('m.jsonl.gz'), '--to', 'messages', '--out', at('m.jsonl.zst'));
    expect(gunzipSync(readFileSync(at('m.jsonl.gz'))).toString()).toBe(read('m.jsonl'));
    expect(Buffer.from(decompressAll(readFileSync(at('m.jsonl.zst')), 'zstd')).toString()).toBe(read('m.jsonl'));
    await json('convert', at('m.jsonl.zst'), '--to', 'alpaca', '--out', at('again.json'));
    expect((JSON.parse(read('again.json')) as { output: string }[])[2]?.output).toBe('松树。');
  });

  it('makes pairs of scored answers and counts what says nothing', async () => {
    expect(await json('convert', scores, '--to', 'preference', '--out', at('pairs.jsonl'))).toMatchObject({
      rows: 2,
      written: 3,
      ties: 1,
      form: 'preference',
    });
    expect(lines(read('pairs.jsonl'))[0]).toMatchObject({
      prompt: [{ role: 'user', content: 'How many legs has a spider?' }],
      chosen: [{ role: 'assistant', content: 'Eight.' }],
      rejected: [{ role: 'assistant', content: 'Six.' }],
      score_chosen: 9,
      source_rejected: 'small',
    });
  });

  it('writes nothing where a row is broken or cannot be said, and names each', async () => {
    const first = await data('convert', broken, '--to', 'messages', '--out', at('never.jsonl'));
    expect([first.code, first.stderr]).toEqual([2, expect.stringMatching(/broken\.jsonl:2.*\n.*broken\.jsonl:3/)]);
    const second = await data('convert', openai, '--to', 'alpaca', '--out', at('never.jsonl'));
    expect([second.code, second.stderr]).toEqual([2, expect.stringMatching(/openai\.jsonl:1: an answer has weight 0/)]);
    const third = await data('convert', alpaca, '--to', 'preference', '--out', at('never.jsonl'));
    expect([third.code, third.stderr]).toEqual([2, expect.stringContaining('expected answers that are compared')]);
    expect(readdirSync(scratch).filter((name) => name.includes('never'))).toEqual([]);
  });

  it('puts such rows aside where it is told to, with the reason', async () => {
    const args = [
      'convert',
      broken,
      '--to',
      'messages',
      '--out',
      at('some.jsonl'),
      '--rejects',
      at('some.rejects.jsonl'),
    ];
    expect(await json(...args)).toMatchObject({ rows: 4, written: 1, rejected: { 'broken row': 3 } });
    expect(lines(read('some.rejects.jsonl'))).toEqual([
      {
        file: broken,
        row: 2,
        reason: 'broken row',
        detail: 'output: empty answer',
        value: { instruction: 'Name two.', output: '' },
      },
      { file: broken, row: 3, reason: 'broken row', detail: expect.stringMatching(/expected one JSON value/) },
      expect.objectContaining({ row: 4, detail: 'instruction: expected a string, got a number' }),
    ]);
  });

  it('writes a card', async () => {
    await json(
      'convert',
      alpaca,
      '--to',
      'messages',
      '--out',
      at('cards/train.jsonl'),
      '--card',
      at('cards/README.md'),
    );
    expect(read('cards/README.md')).toMatch(/^---\npretty_name: "train"\n/);
    expect(read('cards/README.md')).toContain('path: "train.jsonl"');
    expect(read('cards/README.md')).toContain('| zh | 1 |');
  });

  it('says what Parquet needs where that is missing', async () => {
    const parquet = await understudy(['data', 'convert', alpaca, '--to', 'messages', '--out', at('x.parquet')], {
      cwd: scratch,
    });
    expect(parquet.code === 0 || /npm install @duckdb\/node-api/.test(parquet.stderr)).toBe(true);
  });
});

describe('data merge', () => {
  it('puts files of any forms into one, in order; ids become unique, copies stay', async () => {
    const result = await json('merge', alpaca, sharegpt, openai, completions, alpaca, '--out', at('all.jsonl'));
    expect(result).toMatchObject({
      form: 'messages',
      rows: 9,
      written: 9,
      renamedIds: 3,
      forms: { alpaca: 6, sharegpt: 1 },
    });
    const rows = lines<{ id: string; messages: { content: string }[] }>(read('all.jsonl'));
    expect(rows.map(({ id }) => id)).toEqual([
      'alpaca:0',
      'alpaca:1',
      'alpaca:2',
      'tea_0',
      'openai:1',
      'completions:1',
      'alpaca:0~2',
      'alpaca:1~2',
      'alpaca:2~2',
    ]);
    expect(rows[6]?.messages).toEqual(rows[0]?.messages);
    expect((await data('validate', at('all.jsonl'))).code).toBe(0);
  });

  it('keeps answers together where the first file lists them by rank', async () => {
    expect(await json('merge', ranked, scores, '--out', at('together.jsonl'))).toMatchObject({
      form: 'ranked',
      rows: 3,
      written: 3,
      ties: 0,
    });
    const rows = lines<{ answers: { content: string; rank: number }[] }>(read('together.jsonl'));
    expect(rows.map(({ answers }) => answers.map(({ content, rank }) => [content, rank]))).toEqual([
      [
        ['5', 1],
        ['five or so', 2],
      ],
      [
        ['Six.', 3],
        ['Eight.', 1],
        ['It has eight.', 1],
      ],
      [
        ['八条。', 1],
        ['六条。', 2],
      ],
    ]);
    // A file of that form stays what it is.
    expect(await json('merge', at('together.jsonl'), '--out', at('same.jsonl'))).toMatchObject({ form: 'ranked' });
    expect(read('same.jsonl')).toBe(read('together.jsonl'));
  });

  it('merges comparisons, and does not mix them with conversations', async () => {
    expect(await json('merge', scores, ranked, '--out', at('both.jsonl'))).toMatchObject({
      form: 'preference',
      written: 4,
    });
    const mixed = await data('merge', scores, alpaca, '--out', at('mixed.jsonl'));
    expect([mixed.code, mixed.stderr]).toEqual([2, expect.stringContaining('expected answers that are compared')]);
    expect(existsSync(at('mixed.jsonl'))).toBe(false);
  });
});
