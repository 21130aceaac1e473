/** Training data from a teacher, through the program: given tasks answered, and translated first. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { chatServer } from './chat-server.ts';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-generate-'));
const tasks = join(scratch, 'tasks.json');
writeFileSync(
  tasks,
  JSON.stringify([
    { instruction: 'Name a river.', input: 'In Spain', output: 'old answer' },
    { instruction: 'Count to 40.', input: '', output: '' },
    { instruction: 'Say nothing.', input: '', output: 'x' },
  ]),
);

/** Translates by a dictionary, answers with "A: " before the task, and says nothing where it is told so. */
const chinese: Record<string, object> = {
  'Name a river.': { instruction: '说出一条河。', input: '在西班牙' },
  'Count to 40.': { instruction: '数到40。', input: '' },
  'Say nothing.': { instruction: '什么都别说。', input: '' },
};
let rejecting = false;
const unknownModel = '{"error":{"message":"The model `m` does not exist","type":"invalid_request_error"}}';
const server = chatServer({
  host: '0.0.0.0',
  models: { status: 200, body: '{"data":[{"id":"m"}]}' },
  usage: () => [9, 5],
  fault: () => (rejecting ? { kind: 'status', status: 400, body: unknownModel } : undefined),
  reply: ({ messages }) => {
    const prompt = messages.at(-1)?.content as string;
    const known = Object.entries(chinese).find(([text]) => prompt.includes(JSON.stringify(text)));
    if (known) return JSON.stringify(known[1]);
    return /Say nothing|什么都别说/.test(prompt) ? '' : `A: ${prompt}`;
  },
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const rowsOf = (...names: string[]) =>
  readFileSync(join(scratch, ...names), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
const teacher = () => server.flags('m');
const numServed = () => server.requests.length;

describe('generate answers', () => {
  it('answers every task, keeps what came of the others apart, and asks nothing a second time', async () => {
    const run = () =>
      understudy(['generate', 'answers', '--data', tasks, ...teacher(), '--out', join(scratch, 'answered'), '--json']);
    const first = await run();
    expect(first.code, first.stderr).toBe(0);
    expect(JSON.parse(first.stdout)).toMatchObject({ name: 'answered', rows: 2, rejected: { empty: 1 } });
    const rows = rowsOf('answered', 'data.jsonl');
    expect(rows.map(({ messages }) => messages.map(({ content }: { content: string }) => content))).toEqual([
      ['Name a river.\n\nIn Spain', 'A: Name a river.\n\nIn Spain'],
      ['Count to 40.', 'A: Count to 40.'],
    ]);
    expect(rows[0].provenance).toMatchObject({ file: tasks, row: 0, teacher: 'openai-compatible:m' });
    expect(rowsOf('answered', 'rejects.jsonl')).toMatchObject([{ reason: 'empty' }]);
    const before = numServed();
    expect((await run()).code).toBe(0);
    expect(numServed()).toBe(before);
  });

  it('from a recording, with the policy for cut answers refused where it is none', async () => {
    const recorded = join(scratch, 'recorded.jsonl');
    writeFileSync(
      recorded,
      ['Name a river.', 'Count to 40.', 'Say nothing.']
        .map((instruction, i) =>
          JSON.stringify({ instruction, ...(i === 0 && { input: 'In Spain' }), output: `R${i}` }),
        )
        .join('\n'),
    );
    const words = ['generate', 'answers', '--data', tasks, '--provider', 'recorded', '--recorded', recorded];
    const good = await understudy([...words, '--out', join(scratch, 'recorded'), '--card', '--json']);
    expect(JSON.parse(good.stdout)).toMatchObject({ rows: 3, rejected: {} });
    const card = readFileSync(join(scratch, 'recorded', 'README.md'), 'utf8');
    expect(card).toContain('path: "data.jsonl"');
    expect(card).toContain('| recorded:recorded.jsonl | 3 |');
    expect(card).toContain('| answered | 3 | nothing | 0 |');
    expect(card).toMatch(/asked for between \d{4}-\d\d-\d\d and \d{4}-\d\d-\d\d\./);
    const over = await understudy([...words, '--out', join(scratch, 'x'), '--card', join(scratch, 'x', 'data.jsonl')]);
    expect([over.code, over.stderr]).toEqual([2, expect.stringContaining('--card and data are the same file')]);
    const bad = await understudy([...words, '--cut', 'shorter', '--out', join(scratch, 'bad')]);
    expect(bad.code).toBe(2);
    expect(bad.stderr).toContain('cut');
  });
});

describe('generate answers, of a teacher that costs money', () => {
  const out = join(scratch, 'paid');
  const prices = join(scratch, 'prices.json');
  const priced = (usd: number) =>
    writeFileSync(
      prices,
      JSON.stringify({ models: { m: { inputUsdPerMillion: usd, outputUsdPerMillion: usd, batch: 0.5 } } }),
    );
  // This machine, by a name that does not say so: what is asked there costs money.
  const paid = (...more: string[]) =>
    understudy(
      [
        ...['generate', 'answers', '--data', tasks, '--provider', 'openai', '--model', 'm', '--prices', prices],
        ...[
          '--base-url',
          server.baseUrl.replace('127.0.0.1', '0.0.0.0'),
          '--api-key-env',
          'TEST_KEY',
          '--budget-usd',
          '1',
        ],
        ...['--out', out, '--json', ...more],
      ],
      { env: { TEST_KEY: 'sk-test-0123456789abcdef' } },
    );

  it('buys no row again because its price, its way or its limits were changed', async () => {
    priced(10);
    const before = numServed();
    const first = await paid();
    expect(first.code, first.stderr).toBe(0);
    expect(numServed() - before).toBe(3);
    const spent = () => understudy(['ledger', 'stats', out, '--json']).then(({ stdout }) => JSON.parse(stdout));
    const bought = await spent();
    priced(1000);
    for (const more of [[], ['--batch', '--timeout-seconds', '7']]) {
      const again = await paid(...more);
      expect([again.code, numServed() - before], again.stderr).toEqual([0, 3]);
      expect(JSON.parse(again.stdout)).toEqual(JSON.parse(first.stdout));
    }
    expect(await spent()).toEqual(bought);
  });
});

describe('generate answers, of a server that takes nothing', () => {
  it('stops after eight that are rejected alike, says so, and goes on when it is mended', async () => {
    const many = join(scratch, 'rejected.jsonl');
    const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ instruction: `Rejected ${i}.` }));
    writeFileSync(many, lines.join('\n'));
    const words = ['generate', 'answers', '--data', many, ...teacher(), '--out', join(scratch, 'rejected'), '--json'];
    rejecting = true;
    const before = numServed();
    const stopped = await understudy(words);
    rejecting = false;
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toContain(
      'openai-compatible:m: HTTP 400: The model `m` does not exist; 8 requests in a row',
    );
    const asked = numServed() - before;
    expect(asked).toBeGreaterThanOrEqual(8);
    expect(asked).toBeLessThan(16); // eight at once
    const mended = await understudy(words);
    expect([mended.code, numServed() - before], mended.stderr).toEqual([0, asked + 40]);
    expect(JSON.parse(mended.stdout)).toMatchObject({ rows: 40, rejected: {} });
  });
});

describe('flags that are not the provider’s', () => {
  it.each([
    [
      ['--provider', 'gguf', '--model', 'tiny.gguf', '--base-url', 'http://x/v1'],
      '--base-url is for --provider openai, anthropic, openai-compatible; the provider is gguf',
      '--provider openai-compatible --model <as the server calls it>; to have tiny.gguf answer here: --provider gguf, without --base-url',
    ],
    [
      ['--model', 'm', '--base-url', 'http://x/v1'],
      'the provider is local',
      'to ask the server at that address: --provider openai-compatible --model <as the server calls it>\n',
    ],
    [
      ['--provider', 'openai', '--model', 'm', '--context-size', '512'],
      '--context-size is for --provider gguf; the provider is openai',
      'leave --context-size out, or name another provider',
    ],
  ])('%j: says whose they are, and what to do', async (more, message, hint) => {
    const { code, stderr } = await understudy(['generate', 'answers', '--data', tasks, '--out', scratch, ...more]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
  });
});

describe('generate translate', () => {
  it('translates the tasks, never the answers, and answers them in their new language', async () => {
    const out = join(scratch, 'chinese');
    const card = join(scratch, 'chinese.md');
    const words = ['generate', 'translate', '--data', tasks, '--to', 'zh', ...teacher(), '--out', out, '--json'];
    const { code, stdout, stderr } = await understudy([...words, '--card', card]);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ translated: 3, untranslated: {}, rows: 2, rejected: { empty: 1 } });
    const rows = rowsOf('chinese', 'data.jsonl');
    expect(rows[0].messages).toEqual([
      { role: 'user', content: '说出一条河。\n\n在西班牙' },
      { role: 'assistant', content: 'A: 说出一条河。\n\n在西班牙' },
    ]);
    expect(rows[0].language).toBe('zh');
    expect(rows[0].provenance.calls).toHaveLength(2); // the translation's and the answer's
    const text = readFileSync(card, 'utf8');
    for (const said of [
      'path: "chinese/data.jsonl"',
      '| translation | 3 | nothing | 0 |',
      '| answers | 3 | empty | 1 |',
      'Prompts: translate-task (version 1)',
    ])
      expect(text).toContain(said);
  });

  it('refuses a language there is none of before anybody is asked', async () => {
    const before = numServed();
    const words = ['generate', 'translate', '--data', tasks, '--to', 'xx', ...teacher(), '--out', join(scratch, 'xx')];
    const { code, stderr } = await understudy(words);
    expect([code, numServed()]).toEqual([2, before]);
    expect(stderr).toContain('expected the code of a language');
  });
});

describe('plan generate', () => {
  it('asks a pilot, scales its counts up, and what it bought is found by the run', async () => {
    const many = join(scratch, 'many.jsonl');
    const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ instruction: `Task number ${100 + i}.` }));
    writeFileSync(many, lines.join('\n'));
    const settings = ['--data', many, ...teacher(), '--out', join(scratch, 'planned'), '--json'];
    const before = numServed();
    const { code, stdout, stderr } = await understudy(['plan', 'generate', ...settings, '--pilot', '8']);
    expect(code, stderr).toBe(0);
    expect(numServed() - before).toBe(8);
    const plan = JSON.parse(stdout);
    expect(plan).toMatchObject({ tasks: 40, stored: 0, pilot: { asked: 8, answered: 8, cut: 0 }, paid: false });
    // Every prompt has as many bytes and 9 tokens, every answer 5.
    expect(plan.inputTokens.mean).toBeCloseTo(40 * 9);
    expect(plan.outputTokens).toEqual({ mean: 200, low: 200, high: 200 });
    expect((await understudy(['generate', 'answers', ...settings])).code).toBe(0);
    expect(numServed() - before).toBe(40);
    const again = await understudy(['plan', 'generate', ...settings, '--pilot', '8']);
    expect(JSON.parse(again.stdout)).toMatchObject({ stored: 40, outputTokens: { mean: 0 } });
    expect(numServed() - before).toBe(40);
  });
});
