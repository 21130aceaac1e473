/** Rows kept by the score a teacher gives their answer, through the program. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { qualityRequests } from '../../src/generate/quality.ts';
import { chatServer } from './chat-server.ts';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-score-'));
const folder = (): string => mkdtempSync(join(scratch, 'case-'));
const toLines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const reading = (file: string): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** The answer to be graded says which score it gets: "worth 4.5"; a second one after "then". */
const verdictOn = (prompt: string, isAgain: boolean): string => {
  const graded = prompt.split(/The answer to be graded:|要打分的回答：/)[1] as string;
  const [, first = 'no', second] = /worth (\S+)(?: then (\S+))?/.exec(graded) ?? [];
  return `${isAgain ? (second ?? first) : first}\nBecause it says so.`;
};

let refuseFrom = Number.POSITIVE_INFINITY;
const server = chatServer({
  fault: (n, { messages }) => {
    if (messages[0]?.content.includes('unanswerable')) return { kind: 'status', status: 400 };
    return n < refuseFrom ? undefined : { kind: 'status', status: 503, headers: { 'retry-after': '60' } };
  },
  reply: ({ messages }) => verdictOn(messages[0]?.content as string, messages.length > 1),
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const teacher = () => server.flags('m');
const numServed = () => server.requests.length;
const score = (...args: string[]) => understudy(['data', 'score', ...args]);

const alpaca = [
  { id: 7, instruction: 'Name a river.', input: 'In Spain', output: 'The Ebro, worth 5', note: { kept: [1, 2.5] } },
  { instruction: 'Name a lake.', output: 'worth 3.5' },
  { instruction: 'Name a sea.', output: 'worth nothing then 4' },
  { instruction: 'Name a pond.', output: 'worth nothing' },
  { instruction: 'Say something unanswerable.', output: 'worth 5' },
  { instruction: '说出一条河。', output: 'worth 4' },
  { instruction: 3, output: 'worth 5' },
  { instruction: 'Name a brook.', output: 'worth 3.5' },
];

describe('data score', () => {
  it('keeps rows as they are from the threshold on; says of each other why not, and how many there are of each', async () => {
    const where = folder();
    const [file, out, card] = ['rows.json', 'good.json', 'README.md'].map((name) => join(where, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(file, JSON.stringify(alpaca));
    const words = [file, ...teacher(), '--threshold', '4.0', '--out', out, '--card', card, '--json'];
    const first = await score(...words);
    expect(first.code, first.stderr).toBe(0);
    expect(JSON.parse(first.stdout)).toEqual({
      out,
      rejects: `${out}.rejects.jsonl`,
      teacher: 'openai-compatible:m',
      threshold: 4,
      scale: { lowest: 1, highest: 5 },
      rows: 8,
      broken: 1,
      asked: 7,
      scored: 5,
      unreadable: 1,
      failed: 1,
      kept: 3,
      below: 2,
      mean: (5 + 3.5 + 4 + 4 + 3.5) / 5,
      histogram: [
        { score: 3.5, rows: 2 },
        { score: 4, rows: 2 },
        { score: 5, rows: 1 },
      ],
    });
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual([alpaca[0], alpaca[2], alpaca[5]]);
    const call = expect.any(String);
    const below = { file, reason: 'below', score: 3.5, detail: 'Because it says so.', calls: [call] };
    expect(reading(`${out}.rejects.jsonl`)).toEqual([
      { file, row: 6, reason: 'broken row', detail: 'instruction: expected a string, got a number', value: alpaca[6] },
      { ...below, row: 1, value: alpaca[1] },
      {
        ...{ file, row: 3, reason: 'unreadable', detail: 'no score in a known form' },
        ...{ text: 'nothing\nBecause it says so.', calls: [call, call, call], value: alpaca[3] },
      },
      { file, row: 4, reason: 'failed', detail: expect.any(String), text: '', calls: [call], value: alpaca[4] },
      { ...below, row: 7, value: alpaca[7] },
    ]);
    const written = readFileSync(card, 'utf8');
    expect(written).toContain('| reading | 8 | broken row | 1 |');
    expect(written).toContain('| quality by openai-compatible:m, 1 to 5: kept from 4 | 7 | below the threshold | 2 |');

    // Another threshold asks only for what failed.
    const before = numServed();
    const again = await score(...words, '--threshold', '3.5', '--rejects', join(where, 'others.jsonl'));
    expect(JSON.parse(again.stdout)).toMatchObject({ threshold: 3.5, kept: 5, below: 0, unreadable: 1, failed: 1 });
    expect(numServed() - before).toBe(1);
    expect(reading(join(where, 'others.jsonl')).map(({ reason }) => reason)).toEqual([
      'broken row',
      'unreadable',
      'failed',
    ]);
  });

  it('rates the last answer of a conversation in its context, and draws the scores', async () => {
    const where = folder();
    const [file, out] = [join(where, 'chats.jsonl'), join(where, 'good.jsonl.gz')];
    const chat = (...contents: string[]) => {
      const messages = contents.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));
      return { messages: [{ role: 'system', content: 'Be brief.' }, ...messages] };
    };
    const context = chat('Hi', 'worth 1', 'More', 'worth 5');
    const forContext = { messages: context.messages.map((turn, i) => (i === 4 ? { ...turn, weight: 0 } : turn)) };
    const rows = [context, forContext, chat('Hi', 'worth 5', 'More', 'worth 2')];
    writeFileSync(file, toLines(rows));
    const { code, stdout, stderr } = await score(file, ...teacher(), '--out', out);
    expect(code, stderr).toBe(0);
    expect(gunzipSync(readFileSync(out)).toString()).toBe(toLines(rows.slice(0, 1)));
    expect(reading(`${out}.rejects.jsonl`)).toMatchObject([
      { row: 2, score: 1 },
      { row: 3, score: 2 },
    ]);
    expect(stdout.split('\n').map((line) => line.trim().split(/\s+/))).toEqual([
      ['1', '1', '█'.repeat(40)],
      ['2', '1', '█'.repeat(40)],
      ['5', '1', '█'.repeat(40)],
      ['mean', '2.67'],
      ['kept', '1'],
      ['below', '2'],
      ['unreadable', '0'],
      ['failed', '0'],
      ['broken', 'row', '0'],
      ['all', '3'],
      [''],
    ]);
  });

  it('is stopped while the server is down, with nothing written, and goes on from there', async () => {
    const where = folder();
    const [file, out] = [join(where, 'rows.jsonl'), join(where, 'good.jsonl')];
    writeFileSync(
      file,
      toLines(Array.from({ length: 6 }, (_, i) => ({ instruction: `Task ${i}`, output: 'worth 4' }))),
    );
    const words = [file, ...teacher(), '--concurrency', '1', '--out', out, '--json'];
    const before = numServed();
    refuseFrom = numServed() + 1;
    const cutShort = await understudy(['data', 'score', ...words], {
      onStderr: (text) => (text.includes('again in') && !text.includes('stopping') ? 'SIGINT' : undefined),
    });
    refuseFrom = Number.POSITIVE_INFINITY;
    expect([cutShort.code, existsSync(out)], cutShort.stderr).toEqual([130, false]);
    const sent = numServed();
    expect(sent - before).toBeGreaterThan(1);
    const done = await score(...words);
    expect(done.code, done.stderr).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({ asked: 6, kept: 6 });
    expect(numServed() - sent).toBe(5);
  });

  it('from a recording', async () => {
    const where = folder();
    const [file, recorded, out] = ['rows.jsonl', 'verdicts.jsonl', 'good.jsonl'].map((name) => join(where, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(file, toLines([{ instruction: 'Name a river.', output: 'The Ebro.' }]));
    const messages = [
      { role: 'user', content: 'Name a river.' },
      { role: 'assistant', content: 'The Ebro.' },
    ] as const;
    const request = qualityRequests({ model: 'any', maxTokens: 1 })({ messages, language: 'en' });
    writeFileSync(recorded, toLines([{ messages: request.messages, answer: '4.5\nRight.' }]));
    const { stdout, stderr, code } = await score(
      ...[file, '--provider', 'recorded', '--recorded', recorded],
      ...['--threshold', '4.5', '--out', out, '--json'],
    );
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ kept: 1, mean: 4.5 });
  });

  const good = join(scratch, 'good.json');
  writeFileSync(good, JSON.stringify(alpaca.slice(0, 1)));
  const pairs = join(scratch, 'pairs.jsonl');
  writeFileSync(pairs, toLines([{ prompt: 'a', chosen: 'b', rejected: 'c' }]));
  const chats = join(scratch, 'chats.jsonl');
  writeFileSync(
    chats,
    toLines([
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: 'b' },
        ],
      },
    ]),
  );
  const broken = join(scratch, 'broken.jsonl');
  writeFileSync(broken, toLines([{ instruction: 'a', output: '' }]));

  it.each<[string, string[], RegExp]>([
    ['a threshold off the scale', [good, '--threshold', '5.5'], /expected a score from 1 to 5, got 5.5/],
    ['comparisons', [pairs], /expected conversations, found answers that are compared/],
    ['two forms', [good, chats], /good\.json is alpaca, .*chats\.jsonl is messages/],
    ['rows that are all broken', [broken], /no row can be rated/],
    ['no such file', [join(scratch, 'absent.json')], /no such file.*absent\.json/],
    ['a provider without an address', [good, '--provider', 'openai-compatible'], /needs --base-url/],
  ])('refuses %s before anybody is asked, and writes nothing', async (_, args, message) => {
    const where = folder();
    const before = numServed();
    const given = args.includes('--provider') ? args : [...args, ...teacher()];
    const { code, stdout, stderr } = await score(...given, '--out', join(where, 'good.jsonl'));
    expect(stderr).toMatch(message);
    expect([code, stdout, readdirSync(where), numServed()]).toEqual([2, '', [], before]);
  });

  it('does not write over what it reads', async () => {
    for (const args of [
      ['--out', good],
      ['--out', join(scratch, 'x.jsonl'), '--rejects', good],
    ]) {
      const { code, stderr } = await score(good, ...teacher(), ...args);
      expect([code, stderr]).toEqual([2, expect.stringContaining('is one of the files to read')]);
    }
    expect(JSON.parse(readFileSync(good, 'utf8'))).toEqual(alpaca.slice(0, 1));
  });
});
