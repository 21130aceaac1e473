/** `feedback --batch`: answers, scores and ties by batches at half the price, gone on with after kills, failed rows counted. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { batchServer, ledgerTotal, type Step, usdInBatch } from './batch-server.ts';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-feedback-batch-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string): string => join(scratch, name);
const write = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return at(name);
};
const reading = (file: string): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const shownIn = (prompt: string): string[] =>
  [...prompt.matchAll(/^Answer [\dAB]+:\n<<< (\w+)\n([\s\S]*?)\n>>> \1$/gm)].map(([, , text]) => text as string);

/** Scores answers by what they say they are worth, prefers the longer of two, and answers what is no comparison itself. */
const server = batchServer({
  reply: ({ text }) => {
    const shown = shownIn(text);
    if (shown.length === 0) return `An answer to ${text}, worth 8`;
    if (text.includes('[[C]]')) return `[[${(shown[0] ?? '').length > (shown[1] ?? '').length ? 'A' : 'B'}]]`;
    return shown.map((one, i) => `Answer ${i + 1}: so. [[${/worth (\d+)/.exec(one)?.[1]}]]`).join('\n');
  },
  end: ({ text }) => (text.includes('unanswerable') ? 'invalid' : 'served'),
});

const prompts = write('prompts.jsonl', [
  { id: 'a', prompt: 'Say A' },
  { id: 'b', prompt: 'Say B' },
  { id: 'c', prompt: 'Say C' },
]);
const old = write('old.jsonl', [
  { id: 'a', output: 'old, worth 8' },
  { id: 'b', output: 'old, worth 2' },
  { id: 'c', output: 'old, worth 5' },
]);
/** One answer is recorded, another one is asked for by batches too. */
function feedback(out: string, ...more: string[]): string[] {
  writeFileSync(at('models.yaml'), JSON.stringify([{ name: 'new', teacher: { ...server.settings, batch: true } }]));
  return [
    ...['feedback', prompts, '--answers', `old=${old}`, '--answerers', at('models.yaml'), '--ties', 'head-to-head'],
    ...[...server.flags(), '--batch', '--out', at(out), '--json', ...more],
  ];
}

describe('feedback --batch', () => {
  it('killed in every stage it goes on: as if never stopped, nothing is bought twice, all at half the price', async () => {
    // In the batch of answers, in that of scores, and in that of the one tie.
    const steps: Step[] = ['made', 'GET /files/*/content', 'POST /files', 'GET /batches/*', 'POST /files'];
    for (const step of steps) {
      await server.killedAt(step, feedback('killed.jsonl'));
      expect(existsSync(at('killed.jsonl')), step).toBe(false);
    }
    const done = await understudy(feedback('killed.jsonl'));
    expect(done.code, done.stderr).toBe(0);
    const result = JSON.parse(done.stdout) as object;
    expect(result).toMatchObject({
      verdicts: { asked: 3, read: 3, failed: 0 },
      written: 3,
      yield: { twos: 3, pairs: 3, ties: 0 },
    });
    const bought = server.batches;
    expect([bought.map((rows) => rows.length), server.numOnline]).toEqual([[3, 3, 2], 0]);
    const total = await ledgerTotal(at('killed.jsonl.ledger.sqlite'));
    expect(total.calls).toEqual({ stored: 8, failed: 0, inDoubt: 0, awaited: 0 });
    expect(total.usd).toMatchObject({ stored: expect.closeTo(8 * usdInBatch, 12), lost: 0 });

    const whole = await understudy(feedback('whole.jsonl'));
    expect(whole.code, whole.stderr).toBe(0);
    expect(readFileSync(at('killed.jsonl'), 'utf8')).toBe(readFileSync(at('whole.jsonl'), 'utf8'));
    expect(server.batches.slice(bought.length)).toEqual(bought);
    // Once more, nothing is asked.
    const again = await understudy(feedback('killed.jsonl'));
    expect([JSON.parse(again.stdout), server.batches.length]).toEqual([result, 2 * bought.length]);
  });

  it('counts and puts aside what the batch says it cannot answer, and keeps the rest', async () => {
    const some = write('some.jsonl', [
      { id: 'a', prompt: 'Say A' },
      { id: 'x', prompt: 'Say something unanswerable' },
    ]);
    const two = (name: string, texts: readonly string[]): string =>
      write(
        `${name}.jsonl`,
        texts.map((output, i) => ({ id: ['a', 'x'][i], output })),
      );
    const answers = [`p=${two('p', ['p, worth 3', 'p'])}`, `q=${two('q', ['q, worth 4', 'q'])}`];
    const before = server.batches.length;
    const words = [
      'feedback',
      some,
      '--answers',
      ...answers,
      ...server.flags(),
      '--batch',
      '--out',
      at('some-out.jsonl'),
    ];
    const { code, stdout, stderr } = await understudy([...words, '--json']);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      verdicts: { asked: 2, read: 1, partial: 0, unreadable: 0, failed: 1 },
      yield: { twos: 2, pairs: 1, failed: 1 },
      written: 1,
      rejected: { 'failed verdict': 1, failed: 1 },
    });
    expect(reading(at('some-out.jsonl.rejects.jsonl'))).toMatchObject([
      { id: 'x', reason: 'failed verdict', detail: expect.stringContaining('too long') },
      { id: 'x', reason: 'failed', detail: '0 of 2 answers have a score' },
    ]);
    // What will never be answered is not tried again within a run.
    expect(server.batches.slice(before).map((rows) => rows.length)).toEqual([2]);
    const { calls, usd } = await ledgerTotal(at('some-out.jsonl.ledger.sqlite'));
    expect(calls).toEqual({ stored: 1, failed: 1, inDoubt: 0, awaited: 0 });
    expect(usd.stored).toBeCloseTo(usdInBatch, 12);
  });
});
