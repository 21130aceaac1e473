/** A ledger read while it is written, and what is taken over from another. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { expect, test } from 'vitest';
import { ConfigError, TeacherError } from '../../src/base/errors.ts';
import { Ledger, type LedgerEntry } from '../../src/teacher/ledger.ts';
import { ledgerPath, ledgerUser } from '../../src/teacher/ledger-file.ts';
import { LedgerReader, type RowSelection } from '../../src/teacher/ledger-reader.ts';
import { ledgerStatistics } from '../../src/teacher/ledger-statistics.ts';
import type { RecordedCall } from '../../src/teacher/recorded-call.ts';
import { answer, entry, request, temporaryFolder } from './fixtures/make.ts';

const newFile = () => join(temporaryFolder(), 'ledger.sqlite');
const stored = (one: LedgerEntry, text: string, costUsd: number | undefined = 0.1) => {
  return { ...one, answer: answer(text), costUsd };
};
const keys = (reader: LedgerReader, selection?: RowSelection) =>
  [...reader.rows(selection)].map(({ columns }) => columns.key);

test('reads beside the process that writes, and sees the ledger as it was at the first look', () => {
  const file = newFile();
  const ledger = new Ledger(file);
  const [a, b] = [entry('a'), entry('b')];
  ledger.markSent([a]);
  const reader = new LedgerReader(file);
  expect(keys(reader)).toEqual([a.key]);
  ledger.store([stored(a, 'A')]);
  ledger.markSent([b]);
  expect([...reader.rows()].map(({ columns }) => columns.state)).toEqual(['sent']);
  const later = new LedgerReader(file);
  expect([...later.rows()].map(({ columns }) => columns.state)).toEqual(['stored', 'sent']);
  reader.close();
  later.close();
  // Closing waits for readings that go on, up to ten seconds: no reader may be left that has closed.
  ledger.store([stored(b, 'B')]);
  ledger.close();
  expect(existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 0).toBe(false);
});

test('changes nothing and makes nothing', () => {
  const file = newFile();
  expect(() => new LedgerReader(file)).toThrow(/no such ledger/);
  expect(existsSync(file)).toBe(false);
  const ledger = new Ledger(file);
  ledger.store([stored(entry('a'), 'A')]);
  ledger.close();
  const before = [readFileSync(file), statSync(file).mtimeMs];
  const reader = new LedgerReader(file);
  expect(keys(reader)).toHaveLength(1);
  expect(reader.damage()).toEqual([]);
  reader.close();
  expect([readFileSync(file), statSync(file).mtimeMs]).toEqual(before);
});

test('files that are no ledger are refused', () => {
  const folder = temporaryFolder();
  const text = join(folder, 'text.sqlite');
  writeFileSync(text, 'not a database, but long enough to be looked at as one: '.repeat(50));
  expect(() => new LedgerReader(text)).toThrow(ConfigError);
  const empty = join(folder, 'empty?#% .sqlite');
  writeFileSync(empty, '');
  expect(() => new LedgerReader(empty)).toThrow(/expected a ledger of schema 2, found a database of something else/);
  expect(() => new LedgerReader(folder)).toThrow(/no such ledger/);
  expect(ledgerPath(folder)).toBe(join(folder, 'ledger.sqlite'));
  expect(ledgerPath(text)).toBe(text);
});

test('rows by key, stage, state and text, in the order of their first sending', () => {
  const file = newFile();
  const ledger = new Ledger(file);
  const all = Array.from({ length: 30 }, (_, i) => entry(`row ${i} "quoted" 河`, 0.5, i % 2 === 0 ? 'even' : 'odd'));
  ledger.markSent(all);
  ledger.store(all.slice(0, 10).map((one, i) => stored(one, `answer\n${i}`)));
  ledger.fail(all.slice(10, 12).map((one) => ({ ...one, error: new TeacherError('no "way"'), mayHaveCharged: false })));
  ledger.close();
  const reader = new LedgerReader(file);
  const indices = (selection: RowSelection) =>
    keys(reader, selection).map((key) => all.findIndex((one) => one.key === key));
  expect(indices({})).toEqual([...all.keys()]);
  expect(indices({ states: ['stored', 'failed'] })).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  expect(indices({ stages: ['odd'], states: ['stored'] })).toEqual([1, 3, 5, 7, 9]);
  expect(indices({ contains: ['row 7 "quoted" 河'] })).toEqual([7]);
  expect(indices({ contains: ['answer\n3'] })).toEqual([3]);
  expect(indices({ contains: ['quoted', 'no "way"'] })).toEqual([10, 11]);
  for (const [i, { key }] of all.entries()) expect(indices({ keyPrefix: key })).toEqual([i]);
  const prefix = (all[0] as LedgerEntry).key.slice(0, 1);
  expect(indices({ keyPrefix: prefix })).toEqual([...all.keys()].filter((i) => all[i]?.key.startsWith(prefix)));
  expect(indices({ keyPrefix: 'xyz' })).toEqual([]);
  reader.close();
});

test('texts that are no UTF-8 are read all the same, and told', () => {
  const file = newFile();
  const ledger = new Ledger(file);
  ledger.markSent([entry('a')]);
  ledger.close();
  const database = new Database(file);
  database.exec("UPDATE calls SET teacher = CAST(x'61FF62' AS TEXT)");
  database.close();
  const reader = new LedgerReader(file);
  expect([...reader.rows()]).toMatchObject([
    { columns: { teacher: 'a\uFFFDb', stage: 'answers' }, notUtf8: ['teacher'] },
  ]);
  reader.close();
});

test('who uses a ledger: its writer, not a reader, not whoever used it last', () => {
  const file = newFile();
  expect(ledgerUser(file)).toBeUndefined();
  const ledger = new Ledger(file);
  expect(ledgerUser(file)).toBe(process.pid);
  expect(() => new Ledger(file)).toThrow(/in use/);
  ledger.close();
  const reader = new LedgerReader(file);
  expect(ledgerUser(file)).toBeUndefined();
  reader.close();
  new Ledger(file).close();
});

test('statistics add up by stage and teacher what the ledger itself adds up', () => {
  const file = newFile();
  const ledger = new Ledger(file);
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((text) => entry(text, 0.5, text < 'c' ? 'answers' : 'judge'));
  const other = { ...entry('e', undefined, 'judge'), teacher: 'other:model' };
  const sendings = [a, b, c, d, other] as LedgerEntry[];
  ledger.markSent(sendings);
  ledger.store([stored(a as LedgerEntry, 'A'), { ...stored(b as LedgerEntry, 'B'), costUsd: undefined }]);
  ledger.store([{ ...other, answer: { ...answer('E'), usage: undefined }, costUsd: 0 }]);
  const error = new TeacherError('no', { retryable: true });
  ledger.fail([{ ...(c as LedgerEntry), error, mayHaveCharged: true }]);
  ledger.markSent([c as LedgerEntry]);
  ledger.fail([{ ...(c as LedgerEntry), error, mayHaveCharged: false }]);

  const running = ledgerStatistics(file);
  expect(running.usedBy).toBe(process.pid);
  const spent = ledger.spent();
  ledger.close();
  const statistics = ledgerStatistics(file);
  expect(statistics).toEqual({ ...running, usedBy: null });
  expect(statistics.groups).toEqual([
    {
      stage: 'answers',
      teacher: 'fake:test-model',
      calls: { stored: 2, failed: 0, inDoubt: 0, awaited: 0 },
      sendings: 2,
      tokens: { input: 20, output: 10, uncounted: 0 },
      usd: { stored: 0.1, unpriced: 1, inDoubt: 0, awaited: 0, lost: 0 },
    },
    {
      stage: 'judge',
      teacher: 'fake:test-model',
      calls: { stored: 0, failed: 1, inDoubt: 1, awaited: 0 },
      sendings: 3,
      tokens: { input: 0, output: 0, uncounted: 0 },
      usd: { stored: 0, unpriced: 0, inDoubt: 0.5, awaited: 0, lost: 0.5 },
    },
    {
      stage: 'judge',
      teacher: 'other:model',
      calls: { stored: 1, failed: 0, inDoubt: 0, awaited: 0 },
      sendings: 1,
      tokens: { input: 0, output: 0, uncounted: 1 },
      usd: { stored: 0, unpriced: 0, inDoubt: 0, awaited: 0, lost: 0 },
    },
  ]);
  expect(statistics.total).toEqual({
    calls: { stored: 3, failed: 1, inDoubt: 1, awaited: 0 },
    sendings: 6,
    tokens: { input: 20, output: 10, uncounted: 1 },
    usd: { stored: 0.1, unpriced: 1, inDoubt: 0.5, awaited: 0, lost: 0.5 },
  });
  // The writer awaits `d`; to whoever reads it is in doubt.
  expect(spent).toMatchObject({ storedCalls: 3, failedCalls: 1, inFlightCalls: 1, storedUsd: 0.1, lostUsd: 0.5 });
});

const recorded = (content: string, text: string): RecordedCall => {
  const { key } = entry(content);
  const at = '2026-01-02T03:04:05.006Z';
  return {
    key,
    teacher: 'fake:test-model',
    stage: 'answers',
    request: request(content),
    answer: answer(text),
    costUsd: 0.2,
    askedAt: at,
    answeredAt: at,
  };
};

test('what is taken over is added, what is stored stays, what was sent stays on the bill', () => {
  const ledger = new Ledger(newFile());
  const [here, otherwise, doubtful, refused] = ['here', 'otherwise', 'doubtful', 'refused'].map((text) => entry(text));
  const sendings = [here, otherwise, doubtful, refused] as LedgerEntry[];
  ledger.markSent(sendings);
  ledger.store([stored(here as LedgerEntry, 'same'), stored(otherwise as LedgerEntry, 'mine')]);
  ledger.fail([{ ...(refused as LedgerEntry), error: new TeacherError('no'), mayHaveCharged: true }]);
  ledger.abandon([(doubtful as LedgerEntry).key]);
  const calls = [
    recorded('here', 'same'),
    recorded('otherwise', 'theirs'),
    recorded('doubtful', 'D'),
    recorded('refused', 'R'),
    recorded('new', 'N'),
    recorded('new', 'N'),
  ];
  expect(ledger.adopt(calls, { withCosts: false })).toEqual({ added: 3, same: 2, conflicting: [otherwise?.key] });
  const rows = ledger.lookup(calls.map(({ key }) => key));
  expect([...rows.values()].map(({ state }) => state)).toEqual(Array(5).fill('stored'));
  expect(rows.get(otherwise?.key as string)?.answer?.text).toBe('mine');
  expect(rows.get(calls[4]?.key as string)).toMatchObject({
    request: request('new'),
    answer: answer('N'),
    costUsd: 0,
    attempts: 0,
    sentAt: undefined,
    createdAt: '2026-01-02T03:04:05.006Z',
  });
  expect(ledger.spent()).toMatchObject({ storedCalls: 5, inDoubtCalls: 0, failedCalls: 0, inFlightCalls: 0 });
  expect(ledger.spent().storedUsd).toBeCloseTo(0.2, 12);
  expect(ledger.spent().lostUsd).toBeCloseTo(1, 12);
  expect(ledger.adopt([recorded('dear', 'x')], { withCosts: true })).toMatchObject({ added: 1 });
  expect(ledger.spent().storedUsd).toBeCloseTo(0.4, 12);
  ledger.close();
});
