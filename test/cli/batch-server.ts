/** A teacher that costs money for the program to ask by batches: up while a file's tests run, and able to kill the program. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import type { CallTotals, LedgerStatistics } from '../../src/teacher/ledger-statistics.ts';
import { type BatchServer, type BatchServerOptions, startBatchServer } from '../teacher/fixtures/batch-server.ts';
import { type Finished, understudy } from './program.ts';

/** A call of the program's, as it comes in; `made`: a batch has been made, and nobody was told. */
export type Step = 'POST /files' | 'made' | 'GET /batches/*' | 'GET /files/*/content';

/** Every call has 10 tokens in and 5 out. */
const price = { inputUsdPerMillion: 1, outputUsdPerMillion: 10 };
export const usdAlone = (10 * 1 + 5 * 10) / 1e6;
/** Half of that. */
export const usdInBatch = usdAlone / 2;

export interface PaidServer {
  /** The teacher it is, in a file: with its price. */
  readonly settings: object;
  /** Of each batch that was made, its requests' texts. */
  readonly batches: readonly (readonly string[])[];
  /** How many calls came by themselves. */
  readonly numOnline: number;
  /** The same as flags, with a budget. */
  flags(): string[];
  /** Runs the program, which is killed with -9 at the first call of that kind. */
  killedAt(step: Step, words: readonly string[]): Promise<Finished>;
}

/** To be called outside of tests; the server is there from the first of them on. */
export function batchServer(options: Pick<BatchServerOptions, 'reply' | 'end'>): PaidServer {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-prices-'));
  const prices = join(folder, 'prices.json');
  writeFileSync(prices, JSON.stringify({ models: { m: { ...price, batch: 0.5 } } }));
  let server: BatchServer;
  let at: Step | undefined;
  let pid = 0;
  const kills = (step: string): boolean => {
    if (step !== at) return false;
    at = undefined;
    process.kill(pid, 'SIGKILL');
    return true;
  };
  beforeAll(async () => {
    server = await startBatchServer({
      ...options,
      host: '0.0.0.0',
      polls: 2,
      made: () => (kills('made') ? 'lost' : undefined),
      fault: (call) => (kills(call) ? 'reset' : undefined),
    });
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const baseUrl = () => server.baseUrl.replace('127.0.0.1', '0.0.0.0');
  return {
    get settings() {
      return { provider: 'openai-compatible', model: 'm', baseUrl: baseUrl(), prices };
    },
    get batches() {
      return server.batches.map(({ rows }) => rows.map(({ text }) => text));
    },
    get numOnline() {
      return server.online.length;
    },
    flags: () => [
      ...['--provider', 'openai-compatible', '--base-url', baseUrl(), '--model', 'm'],
      ...['--prices', prices, '--budget-usd', '1'],
    ],
    async killedAt(step, words) {
      at = step;
      const finished = await understudy(words, {
        onSpawn: (own) => {
          pid = own;
        },
      });
      expect([step, finished.signal, at], finished.stderr).toEqual([step, 'SIGKILL', undefined]);
      return finished;
    },
  };
}

/** What a ledger says of its calls and their cost, by the command that says it. */
export async function ledgerTotal(place: string): Promise<CallTotals> {
  const { code, stdout, stderr } = await understudy(['ledger', 'stats', place, '--json']);
  expect(code, stderr).toBe(0);
  return (JSON.parse(stdout) as LedgerStatistics).total;
}
