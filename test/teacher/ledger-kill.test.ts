/** A process that dies between the intent and the answer, by SIGKILL: nothing in it gets to tidy up. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../src/base/paths.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { startChatServer } from './fixtures/chat-server.ts';
import { temporaryFolder } from './fixtures/make.ts';

const bound = 121e-6;
const cost = 15e-6;

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

function start(file: string, baseUrl: string) {
  const script = join(packageRoot, 'test/teacher/fixtures/ask-child.mjs');
  const child = spawn(process.execPath, [script, dist, file, baseUrl], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (chunk) => (printed += chunk));
  const ended = once(child, 'close').then(([, signal]) => ({ signal: signal as string | null, printed }));
  return { child, ended };
}

test('killed in the middle of a call: that row is in doubt, counted, and asked again under its key; the rest is kept', async () => {
  const file = join(temporaryFolder(), 'ledger.sqlite');
  let arrived = () => {};
  const fourthArrived = new Promise<void>((resolve) => (arrived = resolve));
  const server = await startChatServer({
    hold: async (n) => {
      if (n !== 3) return;
      arrived();
      await new Promise(() => {});
    },
  });
  const first = start(file, server.baseUrl);
  await fourthArrived;

  // While it lives, the ledger is its own, for this process and for another.
  expect(() => new Ledger(file)).toThrow(`in use by another run (process ${first.child.pid})`);
  const second = await start(file, server.baseUrl).ended;
  expect(JSON.parse(second.printed)).toMatchObject({ error: 'ConfigError' });

  first.child.kill('SIGKILL');
  expect(await first.ended).toEqual({ signal: 'SIGKILL', printed: '' });
  expect(server.requests).toHaveLength(4);

  const ledger = new Ledger(file);
  const [row, ...others] = ledger.inDoubt();
  expect(others).toEqual([]);
  expect(row).toMatchObject({ state: 'sent', attempts: 1, idempotencyKey: server.requests[3]?.idempotencyKey });
  expect(row?.request.messages[0]?.content).toBe('row 3');
  expect(ledger.spent()).toMatchObject({ storedCalls: 3, inDoubtCalls: 1, inFlightCalls: 0, failedCalls: 0 });
  expect(ledger.spent().storedUsd).toBeCloseTo(3 * cost, 12);
  expect(ledger.spent().inDoubtUsd).toBeCloseTo(bound, 12);
  ledger.close();

  const third = await start(file, server.baseUrl).ended;
  const { texts, spent } = JSON.parse(third.printed) as { texts: string[]; spent: { [name: string]: number } };
  expect(texts).toEqual(Array.from({ length: 6 }, (_, i) => `echo: row ${i}`));
  expect(server.requests.slice(4).map((request) => request.messages[0]?.content)).toEqual(['row 3', 'row 4', 'row 5']);
  expect(server.requests[4]?.idempotencyKey).toBe(server.requests[3]?.idempotencyKey);
  expect(spent).toMatchObject({ storedCalls: 6, inDoubtCalls: 0, inDoubtUsd: 0 });
  expect(spent['storedUsd']).toBeCloseTo(6 * cost, 12);
  expect(spent['lostUsd']).toBeCloseTo(bound, 12);
  await server.close();
});
