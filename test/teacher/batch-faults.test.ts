/** Asking by batches against the fault-injecting server, a process of its own. Seeds decide what goes wrong. */
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { askByBatch } from '../../src/teacher/batch-caller.ts';
import type { Asked } from '../../src/teacher/caller.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { requestKey } from '../../src/teacher/request-key.ts';
import type { TeacherAnswer } from '../../src/teacher/teacher.ts';
import { openVendor } from '../../src/teacher/vendors.ts';
import { type FaultServer, startFaultServer } from './fault-server/start.mjs';
import { request, temporaryFolder } from './fixtures/make.ts';

let server: FaultServer;
afterEach(() => server.stop());

const numRows = 800;

test.each(['openai', 'anthropic'] as const)(
  '%s: of the rows a twentieth fails and a twentieth expires, and calls go wrong',
  async (provider) => {
    const folder = temporaryFolder();
    const state = join(folder, 'state.jsonl');
    const faults = {
      batch: { failShare: 0.05, expireShare: 0.05, duplicateShare: 0.02, missingShare: 0.01 },
      controlShares: {
        rateLimited: 0.04,
        error500: 0.04,
        error503: 0.04,
        resetBefore: 0.04,
        resetAfter: 0.08,
        truncated: 0.04,
      },
      retryAfterMs: 10,
    };
    server = await startFaultServer({ state, seed: 7, faults });
    process.env['TEACHER_TEST_KEY'] = 'sk-test-0123456789abcdefghij';
    const teacher = openVendor({
      provider,
      model: 'test-model',
      baseUrl: server.baseUrl,
      apiKeyEnv: 'TEACHER_TEST_KEY',
      concurrency: 4,
      timeoutSeconds: 10,
      batch: { maxRequests: 250 },
    });
    const { batches: vendor } = teacher;
    if (!vendor) throw new Error('no batches');
    const ledger = new Ledger(join(folder, 'ledger.sqlite'));
    const asked: Asked[] = Array.from({ length: numRows }, (_, i) => {
      const one = request(`question ${i}`);
      return { key: requestKey(one), request: one };
    });
    const texts = new Map<string, string>();
    const poll = { firstMs: 20, growth: 1.5, mostMs: 100 };
    const retry = { firstDelayMs: 5, maxDelayMs: 50 };
    const options = { teacher, vendor, ledger, stage: 'answers', poll, retry, settleMs: 30 };
    await askByBatch(asked, asked.length, options, (key, result) => texts.set(key, (result as TeacherAnswer).text));
    expect(asked.filter(({ key }) => !texts.get(key)?.startsWith('Answer '))).toEqual([]);
    expect(new Set(texts.values()).size).toBe(numRows);

    // Rows went out again only where they had no answer: what the server made is what is stored, once each.
    const counts = await server.counts();
    expect(counts).toMatchObject({ batchRows: numRows, requests: numRows, chargedAgain: 0 });
    expect(Object.values(counts.controlFaults).reduce((a, b) => a + b, 0)).toBeGreaterThan(0);
    expect(ledger.spent()).toMatchObject({ storedCalls: numRows, failedCalls: 0, awaitedCalls: 0, inDoubtCalls: 0 });
    expect(ledger.batches.unfinished()).toEqual([]);
    // 11 % of the rows again, 11 % of those, …: no batch was made that nobody waited for.
    const made = server.events().filter(({ e }) => e === (provider === 'openai' ? 'batch' : 'messageBatch'));
    const rows = made.reduce((sum, { batch }) => sum + (batch as { total: number }).total, 0);
    const sendings = asked.reduce((sum, { key }) => sum + (ledger.lookup([key]).get(key)?.attempts ?? 0), 0);
    expect(rows).toBe(sendings);
    expect(rows).toBeGreaterThan(numRows * 1.08);
    expect(rows).toBeLessThan(numRows * 1.18);
    ledger.close();
  },
);
