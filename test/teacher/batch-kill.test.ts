/** A process that asks by batches and dies, by SIGKILL, at every step; the next goes on, and nothing is bought twice. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../src/base/paths.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { ledgerStatistics } from '../../src/teacher/ledger-statistics.ts';
import { startBatchServer } from './fixtures/batch-server.ts';
import { temporaryFolder } from './fixtures/make.ts';

let dist: string;
beforeAll(() => {
  dist = mkdtempSync(join(tmpdir(), 'teacher-dist-'));
  symlinkSync(join(packageRoot, 'node_modules'), join(dist, 'node_modules'));
  symlinkSync(join(packageRoot, 'assets'), join(dist, 'assets'));
  cpSync(join(packageRoot, 'package.json'), join(dist, 'package.json'));
  const project = {
    extends: join(packageRoot, 'tsconfig.build.json'),
    compilerOptions: { rootDir: packageRoot, outDir: dist, sourceMap: false },
    include: [join(packageRoot, 'src/base'), join(packageRoot, 'src/teacher')],
  };
  writeFileSync(join(dist, 'tsconfig.json'), JSON.stringify(project));
  execFileSync(process.execPath, [join(packageRoot, 'node_modules/typescript/bin/tsc'), '-p', dist]);
});
afterAll(() => rmSync(dist, { recursive: true, force: true }));

/** Half of them are more than is stored at a time. */
const numRows = 1100;
const cost = 7.5e-6;

function startChild(file: string, baseUrl: string, protocol: string) {
  const script = join(packageRoot, 'test/teacher/fixtures/batch-child.mjs');
  const child = spawn(process.execPath, [script, dist, file, baseUrl, protocol, `${numRows}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TEACHER_TEST_KEY: 'sk-test-0123456789abcdefghij' },
  });
  let printed = '';
  child.stdout.on('data', (chunk) => (printed += chunk));
  const ended = once(child, 'close').then(([, signal]) => ({ signal: signal as string | null, printed }));
  return { child, ended };
}

const steps = ['upload', 'before it is made', 'made, not told', 'in progress', 'while collecting'] as const;

test.each(['openai', 'anthropic'] as const)(
  '%s: killed at every step',
  async (protocol) => {
    const file = join(temporaryFolder(), 'ledger.sqlite');
    const base = protocol === 'openai' ? '/batches' : '/messages/batches';
    const results = protocol === 'openai' ? 'GET /files/*/content' : 'GET /messages/batches/*/results';
    let step: (typeof steps)[number] | undefined;
    let running: ReturnType<typeof startChild> | undefined;
    const kill = async () => {
      step = undefined;
      running?.child.kill('SIGKILL');
      await running?.ended;
    };
    const stored = () => ledgerStatistics(file).total.calls.stored;
    const server = await startBatchServer({
      protocol,
      polls: 6,
      made: async () => {
        if (step !== 'made, not told') return undefined;
        await kill();
        return 'lost';
      },
      fault: (call) => {
        const isStep =
          (step === 'upload' && call === 'POST /files') ||
          (step === 'before it is made' && call === `POST ${base}`) ||
          (step === 'in progress' && call === `GET ${base}/*`);
        if (isStep) {
          void kill();
          return 'reset';
        }
        if (step !== 'while collecting' || call !== results) return undefined;
        // Half of the results are on their way: 500 are stored.
        return (async () => {
          while (stored() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
          await kill();
        })();
      },
    });

    const states = [];
    for (step of steps.slice(protocol === 'openai' ? 0 : 1)) {
      const at = step;
      running = startChild(file, server.baseUrl, protocol);
      expect(await running.ended, at).toEqual({ signal: 'SIGKILL', printed: '' });
      const ledger = new Ledger(file);
      const { storedCalls, awaitedCalls, inDoubtCalls } = ledger.spent();
      const [batch, ...others] = ledger.batches.unfinished();
      expect(others, at).toEqual([]);
      states.push([at, storedCalls, awaitedCalls, inDoubtCalls, batch?.state]);
      ledger.close();
    }
    expect(states.slice(-4)).toEqual([
      ['before it is made', 0, numRows, 0, 'open'],
      ['made, not told', 0, numRows, 0, 'open'],
      ['in progress', 0, numRows, 0, 'submitted'],
      ['while collecting', 500, numRows - 500, 0, 'submitted'],
    ]);
    expect(server.batches).toHaveLength(1);

    step = undefined;
    running = startChild(file, server.baseUrl, protocol);
    const { texts, spent } = JSON.parse((await running.ended).printed) as {
      texts: string[];
      spent: { [name: string]: number };
    };
    expect(texts).toEqual(Array.from({ length: numRows }, (_, i) => `echo: row ${i}`));
    // The provider had each row once, and was paid for each once.
    expect(server.batches.map(({ rows }) => rows.length)).toEqual([numRows]);
    expect(spent).toMatchObject({ storedCalls: numRows, awaitedCalls: 0, inDoubtCalls: 0, failedCalls: 0, lostUsd: 0 });
    expect(spent['storedUsd']).toBeCloseTo(numRows * cost, 9);
    // No upload is left lying.
    expect(readdirSync(dirname(file)).filter((name) => name.endsWith('.jsonl'))).toEqual([]);
    await server.close();
  },
  180_000,
);
