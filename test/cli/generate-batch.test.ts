/** Training data by a provider's batch interface, through the program, against the tests' fault server. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Ledger } from '../../src/teacher/ledger.ts';
import { type FaultServer, startFaultServer } from '../teacher/fault-server/start.mjs';
import { tinyModel, understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-generate-batch-'));
const tasks = join(scratch, 'tasks.jsonl');
const instructions = Array.from({ length: 30 }, (_, i) => `Task number ${100 + i}.`);
writeFileSync(tasks, instructions.map((instruction) => `${JSON.stringify({ instruction, output: '' })}\n`).join(''));

let server: FaultServer;
beforeAll(async () => {
  const faults = { batch: { failShare: 0.1, expireShare: 0.1 }, maxFaultsPerRequest: 1 };
  server = await startFaultServer({ state: join(scratch, 'state.jsonl'), faults });
});
afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const out = (name: string): string[] => ['--out', join(scratch, name)];
const compatible = (): string[] => [
  ...['--provider', 'openai-compatible', '--base-url', server.baseUrl, '--model', 'test-model'],
  '--batch',
];

describe('--batch', () => {
  it('answers: says what it waits for; rows that fail or expire are submitted again, the others are not', async () => {
    const words = ['generate', 'answers', '--data', tasks, ...compatible(), ...out('answered'), '--json'];
    const { code, stdout, stderr } = await understudy(words);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ name: 'answered', rows: 30, rejected: {} });
    expect(stderr).toMatch(/batch \S+: 30 requests submitted/);
    const again = /batch \S+: \d+ answers, (\d+) failed/.exec(stderr)?.[1];
    expect(stderr).toMatch(new RegExp(`batch \\S+: ${again} requests submitted`));
    const { asked, batchRows, chargedAgain } = await server.counts();
    expect({ asked, batchRows, chargedAgain }).toEqual({ asked: 0, batchRows: 30, chargedAgain: 0 });

    // What was bought in a batch is not bought by itself.
    const alone = await understudy(words.filter((word) => word !== '--batch'));
    expect([alone.code, (await server.counts()).asked]).toEqual([0, 0]);
  });

  it('translate and self-instruct: go by batches too', async () => {
    const before = (await server.counts()).batchRows;
    const translate = ['generate', 'translate', '--data', tasks, '--to', 'de', ...compatible(), ...out('german')];
    const translated = await understudy(translate);
    // The server does not translate: every task is told so, twice, and is left out.
    expect(translated.stdout + translated.stderr).toMatch(/batch \S+: 30 requests submitted/);
    const selfInstruct = ['generate', 'self-instruct', '--count', '5', ...compatible(), ...out('made')];
    const made = await understudy(selfInstruct);
    expect(made.stderr).toMatch(/batch \S+: 5 requests submitted/);
    const { asked, batchRows } = await server.counts();
    expect(asked).toBe(0);
    expect(batchRows - before).toBeGreaterThanOrEqual(35);
  });

  it('where there are no batches: refused before anything is asked, with who has some; in a file of settings too', async () => {
    for (const provider of ['local', 'recorded']) {
      const recorded = provider === 'recorded' ? ['--recorded', tasks] : [];
      const words = ['generate', 'answers', '--data', tasks, '--provider', provider, ...recorded, '--batch'];
      const { code, stderr } = await understudy([...words, ...out('none')]);
      expect([code, stderr]).toEqual([
        2,
        expect.stringContaining('teacher.batch: a teacher of this kind has no batch'),
      ]);
      expect(stderr).toContain('openai, anthropic and openai-compatible have one');
    }
    const file = join(scratch, 'understudy.yaml');
    const answer = { instructions: [tasks], teacher: { provider: 'recorded', files: [tasks], batch: true } };
    writeFileSync(file, JSON.stringify({ name: 'x', output: join(scratch, 'run'), seeds: [tasks], answer }));
    const { code, stderr } = await understudy(['run', file]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('openai, anthropic and openai-compatible have one')]);
  });

  it('a batch that the server has no more is forgotten where that is said', async () => {
    const ledgerFile = join(scratch, 'forgotten', 'ledger.sqlite');
    const words = ['generate', 'answers', '--data', tasks, '--max-tokens', '60', ...compatible()];
    await server.set({ batch: { inProgressMs: 600_000 } });
    let isStopped = false;
    const onStderr = (text: string): NodeJS.Signals | undefined => {
      if (isStopped || !text.includes('submitted')) return undefined;
      isStopped = true;
      return 'SIGINT';
    };
    const stopped = await understudy([...words, ...out('forgotten')], { onStderr });
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.stderr).toContain('run the same command again to collect them');
    await server.set({ batch: { inProgressMs: 100, failShare: 0, expireShare: 0 } });
    const ledger = new Ledger(ledgerFile);
    const [{ providerId } = { providerId: undefined }] = ledger.batches.unfinished();
    ledger.close();
    const forgetting = ['--forget-batches', `${providerId}`, '--json'];
    const { code, stdout, stderr } = await understudy([...words, ...forgetting, ...out('forgotten')]);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ rows: 30 });
    expect(
      readFileSync(join(scratch, 'forgotten', 'data.jsonl'), 'utf8')
        .trim()
        .split('\n'),
    ).toHaveLength(30);
  });

  it('a stage that is done stays done when its teacher is asked by batch, or its price is changed', async () => {
    const questions = join(scratch, 'questions.jsonl');
    const question = (text: string, i: number) => ({
      id: `q${i}`,
      category: 'x',
      classification: false,
      instruction: text,
      input: '',
      output: 'y',
    });
    writeFileSync(questions, instructions.map((text, i) => `${JSON.stringify(question(text, i))}\n`).join(''));
    const file = join(scratch, 'stages.yaml');
    const run = async (how: object) => {
      const teacher = { provider: 'openai-compatible', model: 'test-model', baseUrl: server.baseUrl, ...how };
      const answer = { instructions: [tasks], maxTokens: 50, teacher };
      const parts = { seeds: [questions], answer, sft: { model: tinyModel }, evaluate: { questions: [questions] } };
      writeFileSync(file, JSON.stringify({ name: 'x', output: join(scratch, 'stages'), ...parts }));
      // Every answer is to a test question: the run ends after the answers, and trains nothing.
      const { code, stderr } = await understudy(['run', file, '--ignore-memory', '--yes']);
      expect([code, stderr]).toEqual([1, expect.stringContaining('no row is left to train on')]);
      return stderr;
    };
    expect(await run({})).not.toContain('done before');
    const { asked, batchRows } = await server.counts();
    const price = { inputUsdPerMillion: 1, outputUsdPerMillion: 2 };
    for (const how of [{ batch: true }, { price, concurrency: 2 }]) expect(await run(how)).toContain('done before');
    expect(await server.counts()).toMatchObject({ asked, batchRows });
  });
});
