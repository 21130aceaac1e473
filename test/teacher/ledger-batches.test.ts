/** What the ledger knows of batches; ledgers written before it knew any. */
import { join } from 'node:path';
import Database from 'libsql';
import { expect, test } from 'vitest';
import { TeacherError } from '../../src/base/errors.ts';
import { Ledger, type LedgerEntry } from '../../src/teacher/ledger.ts';
import { LedgerReader } from '../../src/teacher/ledger-reader.ts';
import { ledgerStatistics } from '../../src/teacher/ledger-statistics.ts';
import { committedUsd } from '../../src/teacher/spending.ts';
import { answer, entry, temporaryFolder } from './fixtures/make.ts';

const newFile = () => join(temporaryFolder(), 'ledger.sqlite');
const stored = (one: LedgerEntry, text: string) => ({ ...one, answer: answer(text), costUsd: 0.1 });
const openai = { teacher: 'openai:m', provider: 'openai', baseUrl: 'http://localhost/v1' };
const failed = (one: LedgerEntry) => ({
  ...one,
  error: new TeacherError('no', { retryable: true }),
  mayHaveCharged: false,
});

test('a batch from the first row to the last answer, across processes', () => {
  const file = newFile();
  const first = new Ledger(file);
  const { run } = first.batches;
  const batch = first.batches.create(openai);
  expect(batch).toMatchObject({ run, ...openai, state: 'open', requests: 0, sentAt: undefined });
  expect(first.batches.claim(batch.id)).toBe(false);
  const entries = Array.from({ length: 1203 }, (_, i) => entry(`row ${i}`, 0.001));
  first.markSent(entries, batch.id);
  first.batches.sending(batch.id, { requests: 1203, promptTokens: 4812, upload: 'file-1' });
  expect(first.batches.get(batch.id)).toMatchObject({ requests: 1203, promptTokens: 4812, upload: 'file-1' });
  expect(first.batches.get(batch.id)?.sentAt).toBeDefined();
  first.batches.submitted(batch.id, 'batch_1');
  expect(first.batches.isKnown('batch_1')).toBe(true);
  expect(first.batches.isKnown('batch_2')).toBe(false);
  first.close();

  // Awaited by whoever opens the ledger, and not in doubt.
  const ledger = new Ledger(file);
  expect(ledger.batches.run).toBe(run);
  expect([ledger.batches.claim(batch.id), ledger.batches.claim(batch.id)]).toEqual([true, false]);
  expect(ledger.inDoubt()).toEqual([]);
  expect(ledger.spent()).toMatchObject({ awaitedCalls: 1203, inDoubtCalls: 0, inFlightCalls: 0 });
  expect(committedUsd(ledger.spent())).toBeCloseTo(1.203, 9);
  expect(ledger.batches.unfinished()).toMatchObject([{ id: batch.id, state: 'submitted', providerId: 'batch_1' }]);
  const pages = [...ledger.batches.rows(batch.id, 'sent')];
  expect(pages.map((rows) => rows.length)).toEqual([500, 500, 203]);
  expect(pages.flat().map(({ key }) => key)).toEqual(entries.map(({ key }) => key).sort());

  const [one, two] = entries as [LedgerEntry, LedgerEntry];
  expect(() => ledger.markSent([one])).toThrow(/awaited in a batch/);
  expect(() => ledger.markSent([one], 'another')).toThrow(/awaited in a batch/);
  ledger.store([stored(one, 'A')]);
  ledger.fail([failed(two)]);
  expect(ledger.spent()).toMatchObject({ storedCalls: 1, failedCalls: 1, awaitedCalls: 1201, lostUsd: 0 });
  expect(ledger.lookup([one.key]).get(one.key)).toMatchObject({ state: 'stored', batch: batch.id });
  expect(ledger.batches.count(batch.id, 'sent')).toBe(1201);

  // By itself a failed row is in flight, and in doubt without its process, like any other.
  ledger.markSent([two]);
  expect(ledger.lookup([two.key]).get(two.key)).toMatchObject({ state: 'sent', batch: undefined, attempts: 2 });
  expect(ledger.spent()).toMatchObject({ inFlightCalls: 1 });
  ledger.abandon([two.key]);
  expect(ledger.inDoubt()).toHaveLength(1);

  ledger.batches.close(batch.id, 'collected');
  expect(ledger.batches.unfinished()).toEqual([]);
  expect(ledger.batches.get(batch.id)?.collectedAt).toBeDefined();
  ledger.close();
});

test('rows may be changed while they are gone through', () => {
  const ledger = new Ledger(newFile());
  const { id } = ledger.batches.create(openai);
  ledger.markSent(
    Array.from({ length: 1001 }, (_, i) => entry(`row ${i}`)),
    id,
  );
  let seen = 0;
  for (const rows of ledger.batches.rows(id, 'sent')) {
    ledger.fail(rows.map(failed));
    seen += rows.length;
  }
  expect(seen).toBe(1001);
  expect([...ledger.batches.rows(id, 'sent')]).toEqual([]);
  ledger.close();
});

test('an answer taken over from another ledger while the row is in a batch: the batch stays on the bill', () => {
  const ledger = new Ledger(newFile());
  const one = entry('a', 0.5);
  ledger.markSent([one], ledger.batches.create(openai).id);
  const time = new Date().toISOString();
  const call = { ...one, answer: answer('A'), costUsd: 0.1, askedAt: time, answeredAt: time };
  ledger.adopt([call], { withCosts: false });
  expect(ledger.spent()).toMatchObject({ storedCalls: 1, awaitedCalls: 0, lostUsd: 0.5 });
  ledger.close();
});

test('statistics tell awaited from in doubt', () => {
  const file = newFile();
  const ledger = new Ledger(file);
  ledger.markSent([entry('a', 0.5)], ledger.batches.create(openai).id);
  ledger.markSent([entry('b', 0.25)]);
  ledger.close();
  expect(ledgerStatistics(file).total).toMatchObject({
    calls: { stored: 0, inDoubt: 1, awaited: 1 },
    usd: { inDoubt: 0.25, awaited: 0.5 },
  });
});

/** The tables as version 1 of the schema had them, with a stored row and one in doubt. */
function writeOldLedger(file: string): LedgerEntry[] {
  const entries = [entry('old', 0.5), entry('doubtful', 0.25)];
  const now = new Ledger(file);
  now.markSent(entries);
  now.store([stored(entries[0] as LedgerEntry, 'answer')]);
  now.close();
  const database = new Database(file);
  database.exec(`
    DROP INDEX calls_by_batch; ALTER TABLE calls DROP COLUMN batch;
    DROP TABLE batches; PRAGMA user_version = 1;`);
  expect(database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()).toEqual([{ name: 'calls' }]);
  database.close();
  return entries;
}

test('a ledger of the first schema is read as it is, and brought up when it is opened', () => {
  const file = newFile();
  const [old, doubtful] = writeOldLedger(file) as [LedgerEntry, LedgerEntry];
  const reader = new LedgerReader(file);
  expect([...reader.rows()].map(({ columns: { key, state, batch } }) => [key, state, batch])).toEqual([
    [old.key, 'stored', null],
    [doubtful.key, 'sent', null],
  ]);
  expect(reader.damage()).toEqual([]);
  reader.close();
  expect(ledgerStatistics(file).total.calls).toEqual({ stored: 1, failed: 0, inDoubt: 1, awaited: 0 });

  const ledger = new Ledger(file);
  expect(ledger.lookup([old.key]).get(old.key)).toMatchObject({ state: 'stored', answer: { text: 'answer' } });
  expect(ledger.spent()).toMatchObject({ storedCalls: 1, inDoubtCalls: 1, awaitedCalls: 0 });
  const batch = ledger.batches.create(openai);
  ledger.markSent([doubtful], batch.id);
  expect(ledger.spent()).toMatchObject({ awaitedCalls: 1, inDoubtCalls: 0, lostUsd: 0.25 });
  ledger.close();
  const again = new Ledger(file);
  expect(again.batches.unfinished()).toMatchObject([{ id: batch.id }]);
  again.close();
  // What was stored is as safe as before.
  const database = new Database(file);
  expect(() => database.exec("UPDATE calls SET answer = '{}'")).toThrow(/a stored answer is never overwritten/);
  database.close();
});
