import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { expect, test } from 'vitest';
import { ConfigError, TeacherError } from '../../src/base/errors.ts';
import { Rng } from '../../src/base/rng.ts';
import { Ledger, type LedgerEntry } from '../../src/teacher/ledger.ts';
import { committedUsd } from '../../src/teacher/spending.ts';
import { answer, entry, request, temporaryFolder } from './fixtures/make.ts';

const newFile = () => join(temporaryFolder(), 'deep', 'ledger.sqlite');
const stored = (one: LedgerEntry, text: string, costUsd = 0.1) => ({
  ...one,
  answer: answer(text),
  costUsd,
});
const failed = (one: LedgerEntry, retryable: boolean, mayHaveCharged: boolean) => ({
  ...one,
  error: new TeacherError('no', { status: retryable ? 503 : 400, retryable }),
  mayHaveCharged,
});

test('a row from intent to answer, and the same after opening again', () => {
  const file = newFile();
  const one = entry('hello');
  const ledger = new Ledger(file);
  expect(ledger.lookup([one.key]).size).toBe(0);
  const [idempotencyKey] = ledger.markSent([one]);
  expect(ledger.lookup([one.key]).get(one.key)).toMatchObject({
    state: 'sent',
    attempts: 1,
    upperBoundUsd: 0.5,
    idempotencyKey,
    answer: undefined,
  });
  ledger.store([stored(one, 'world')]);
  const row = ledger.lookup([one.key]).get(one.key);
  ledger.close();
  const again = new Ledger(file);
  expect(again.lookup([one.key, 'unknown', one.key])).toEqual(new Map([[one.key, row]]));
  expect(row).toMatchObject({
    key: one.key,
    state: 'stored',
    teacher: 'fake:test-model',
    stage: 'answers',
    request: request('hello'),
    answer: answer('world'),
    error: undefined,
    costUsd: 0.1,
    lostUsd: 0,
    attempts: 1,
  });
  expect(Date.parse(row?.sentAt ?? '')).toBeGreaterThanOrEqual(Date.parse(row?.createdAt ?? ''));
  again.close();
});

test('any text comes back as it went in: NUL, lone surrogates, emoji, quotes', () => {
  const text = 'a\u0000b \ud800 😀 "\' \\ \u2028 你好\r\n';
  const ledger = new Ledger(newFile());
  const one = entry(text);
  ledger.markSent([one]);
  ledger.store([{ ...one, answer: { ...answer(text), usage: undefined }, costUsd: undefined }]);
  const row = ledger.lookup([one.key]).get(one.key);
  expect(row?.request.messages[0]?.content).toBe(text);
  expect(row?.answer).toEqual({ text, finishReason: 'stop', usage: undefined, raw: { id: text } });
  ledger.close();
});

test('a stored row is never overwritten, neither by an answer nor by a failure nor by a new sending', () => {
  const ledger = new Ledger(newFile());
  const one = entry('x');
  ledger.markSent([one]);
  ledger.store([stored(one, 'first')]);
  ledger.store([stored(one, 'second', 9)]);
  ledger.fail([failed(one, true, true)]);
  expect(() => ledger.markSent([one])).toThrow(/stored already/);
  expect(ledger.lookup([one.key]).get(one.key)).toMatchObject({
    state: 'stored',
    answer: { text: 'first' },
    costUsd: 0.1,
  });
  expect(ledger.spent()).toMatchObject({ storedCalls: 1, storedUsd: 0.1, failedCalls: 0, lostUsd: 0 });
  ledger.close();
});

test('the table itself refuses to change a stored row, whoever asks', () => {
  const file = newFile();
  const ledger = new Ledger(file);
  const one = entry('x');
  ledger.store([stored(one, 'first'), stored(one, 'second')]);
  ledger.close();
  const database = new Database(file);
  expect(() => database.exec("UPDATE calls SET answer = '{}'")).toThrow(/a stored answer is never overwritten/);
  database.close();
  const again = new Ledger(file);
  expect(again.lookup([one.key]).get(one.key)?.answer?.text).toBe('first');
  again.close();
});

test('a batch is all or nothing', () => {
  const ledger = new Ledger(newFile());
  const [a, b] = [entry('a'), entry('b')];
  ledger.store([stored(b, 'B')]);
  expect(() => ledger.markSent([a, b])).toThrow(/stored already/);
  expect(ledger.lookup([a.key]).size).toBe(0);
  expect(ledger.spent()).toMatchObject({ inFlightCalls: 0, storedCalls: 1 });
  ledger.close();
});

test('sent and not answered is in doubt once nobody awaits it, at its upper bound, and keeps its idempotency key', () => {
  const file = newFile();
  const [a, b] = [entry('a', 0.5), entry('b', 0.25, 'judge')];
  const ledger = new Ledger(file);
  const [keyOfA] = ledger.markSent([a, b]);
  expect(ledger.inDoubt()).toEqual([]);
  expect(ledger.spent()).toMatchObject({ inFlightCalls: 2, inFlightUsd: 0.75, inDoubtCalls: 0, inDoubtUsd: 0 });
  ledger.abandon([b.key, 'unknown']);
  expect(ledger.inDoubt().map((row) => row.key)).toEqual([b.key]);
  ledger.close();

  const again = new Ledger(file);
  expect(
    again
      .inDoubt()
      .map((row) => row.key)
      .sort(),
  ).toEqual([a.key, b.key].sort());
  expect(again.spent()).toMatchObject({ inFlightCalls: 0, inDoubtCalls: 2, inDoubtUsd: 0.75 });
  expect(again.spent().byStage['judge']).toMatchObject({ inDoubtCalls: 1, inDoubtUsd: 0.25 });
  expect(again.markSent([a])).toEqual([keyOfA]);
  // The first sending stays on the bill: the provider may have charged it.
  expect(again.spent()).toMatchObject({ inFlightUsd: 0.5, inDoubtUsd: 0.25, lostUsd: 0.5 });
  again.store([stored(a, 'A', 0.1)]);
  expect(again.lookup([a.key]).get(a.key)).toMatchObject({ attempts: 2, lostUsd: 0.5, costUsd: 0.1 });
  expect(committedUsd(again.spent())).toBeCloseTo(0.1 + 0.25 + 0.5, 12);
  again.close();
});

test('a failure that passes keeps the idempotency key, a refusal does not; lost sendings add up', () => {
  const ledger = new Ledger(newFile());
  const one = entry('x', 0.5);
  const [first] = ledger.markSent([one]);
  ledger.fail([failed(one, true, true)]);
  expect(ledger.lookup([one.key]).get(one.key)).toMatchObject({
    state: 'failed',
    lostUsd: 0.5,
    error: { message: 'no', status: 503, retryable: true },
  });
  expect(ledger.markSent([one])).toEqual([first]);
  ledger.fail([failed(one, false, true)]);
  expect(ledger.spent()).toMatchObject({ failedCalls: 1, lostUsd: 1, inFlightUsd: 0 });
  const [later] = ledger.markSent([one]);
  expect(later).not.toBe(first);
  ledger.store([{ ...stored(one, 'X'), costUsd: undefined }]);
  expect(ledger.spent()).toMatchObject({ storedCalls: 1, storedUsd: 0, unpricedCalls: 1, failedCalls: 0, lostUsd: 1 });
  ledger.close();
});

test('the running totals are what a fresh look at the file adds up to, whatever happened', () => {
  const file = newFile();
  const rng = new Rng('ledger totals');
  let ledger = new Ledger(file);
  const awaited = new Set<LedgerEntry>();
  const entries = Array.from({ length: 30 }, (_, i) => entry(`row ${i}`, rng.uniform(), `stage ${i % 3}`));
  for (let step = 0; step < 400; step++) {
    const one = entries[rng.int(entries.length)] as LedgerEntry;
    const state = ledger.lookup([one.key]).get(one.key)?.state;
    const choice = rng.int(4);
    if (awaited.has(one)) {
      if (choice === 0) ledger.store([{ ...stored(one, 'a'), costUsd: rng.int(2) === 0 ? undefined : rng.uniform() }]);
      else if (choice === 1) ledger.fail([failed(one, rng.int(2) === 0, rng.int(2) === 0)]);
      else if (choice === 2) ledger.abandon([one.key]);
      else continue;
      awaited.delete(one);
    } else if (state !== 'stored') {
      ledger.markSent([one]);
      awaited.add(one);
    }
    if (step % 100 === 99) {
      const before = ledger.spent();
      ledger.close();
      awaited.clear();
      ledger = new Ledger(file);
      const after = ledger.spent();
      expect(after.inDoubtCalls).toBe(before.inDoubtCalls + before.inFlightCalls);
      expect(after.storedCalls).toBe(before.storedCalls);
      expect(after.failedCalls).toBe(before.failedCalls);
      expect(after.unpricedCalls).toBe(before.unpricedCalls);
      expect(after.storedUsd).toBeCloseTo(before.storedUsd, 9);
      expect(after.lostUsd).toBeCloseTo(before.lostUsd, 9);
      expect(committedUsd(after)).toBeCloseTo(committedUsd(before), 9);
    }
  }
  expect(ledger.spent().storedCalls).toBeGreaterThan(5);
  expect(Object.keys(ledger.spent().byStage)).toHaveLength(3);
  ledger.close();
});

test('lookup takes more keys than one query does', () => {
  const ledger = new Ledger(newFile());
  const entries = Array.from({ length: 1201 }, (_, i) => entry(`row ${i}`));
  ledger.store(entries.map((one, i) => stored(one, `answer ${i}`)));
  const rows = ledger.lookup(entries.map((one) => one.key));
  expect(rows.size).toBe(1201);
  expect(rows.get((entries[1200] as LedgerEntry).key)?.answer?.text).toBe('answer 1200');
  ledger.close();
});

test('folder and files are for their owner alone, and what is on disk is WAL', () => {
  const file = newFile();
  const ledger = new Ledger(file);
  ledger.markSent([entry('x')]);
  const folder = join(file, '..');
  expect((statSync(folder).mode & 0o777).toString(8)).toBe('700');
  const names = readdirSync(folder);
  expect(names).toContain('ledger.sqlite-wal');
  for (const name of names) expect((statSync(join(folder, name)).mode & 0o777).toString(8), name).toBe('600');
  ledger.close();
});

test('two at a time on one ledger: the second is refused until the first has closed', () => {
  const file = newFile();
  const first = new Ledger(file);
  const second = () => new Ledger(file);
  expect(second).toThrow(ConfigError);
  expect(second).toThrow(`in use by another run (process ${process.pid})`);
  first.markSent([entry('still works')]);
  first.close();
  const next = new Ledger(file);
  expect(next.inDoubt()).toHaveLength(1);
  next.close();
});

test('files that are no ledger are refused and left alone', () => {
  const folder = temporaryFolder();
  const text = join(folder, 'text.sqlite');
  writeFileSync(text, 'not a database, but long enough to be looked at as one: '.repeat(50));
  expect(() => new Ledger(text)).toThrow(ConfigError);
  expect(statSync(text).size).toBe(56 * 50);

  const other = join(folder, 'other.sqlite');
  const database = new Database(other);
  database.exec('CREATE TABLE things (name TEXT)');
  expect(() => new Ledger(other)).toThrow(/expected a ledger of schema 2, found a database of something else/);
  database.exec('PRAGMA user_version = 99');
  expect(() => new Ledger(other)).toThrow(/found a ledger of schema 99/);
  database.close();

  expect(() => new Ledger(folder)).toThrow(ConfigError);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});
