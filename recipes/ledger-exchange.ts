/**
 * Recorded answers shared between ledgers, as JSON Lines. `exportCalls` writes the stored calls of one; `importCalls` takes
 * them over into another, where nothing that is stored is overwritten. What is imported is checked to its end first: each
 * key must be the hash of its request, so that an answer can serve no other request than its own.
 */
import { ConfigError, DataError, type DataIssue, throwIfAborted, WorkError } from '../src/base/errors.ts';
import { containerOf, withSinks } from '../src/data/row-sink.ts';
import { isBroken, streamRows } from '../src/data/row-stream.ts';
import { Ledger } from '../src/teacher/ledger.ts';
import { rowProblems } from '../src/teacher/ledger-check.ts';
import { LedgerReader } from '../src/teacher/ledger-reader.ts';
import { type RecordedCall, readRecordedCall, toRecordedCall } from '../src/teacher/recorded-call.ts';

export interface ExportConfig {
  readonly ledger: string;
  /** JSON Lines; compressed where the name ends in .gz or .zst. */
  readonly out: string;
  readonly stages?: readonly string[] | undefined;
}

export interface ExportResult {
  readonly out: string;
  readonly exported: number;
  /** Stored rows that were left out, since they are broken. */
  readonly broken: readonly { readonly key: string; readonly problems: readonly string[] }[];
}

/** Written whole or not at all. Throws ConfigError where no stored call is of these stages. */
export async function exportCalls({ ledger, out, stages }: ExportConfig, signal: AbortSignal): Promise<ExportResult> {
  if (containerOf(out, 'lines') !== 'lines') {
    throw new ConfigError(`calls are written as JSON Lines, and ${out} says otherwise`, {
      hint: 'choose a name such as calls.jsonl or calls.jsonl.gz',
    });
  }
  const reader = new LedgerReader(ledger);
  try {
    return await withSinks([[out, 'lines']], async ([sink]) => {
      const broken: { key: string; problems: readonly string[] }[] = [];
      let exported = 0;
      for (const row of reader.rows({ states: ['stored'], stages })) {
        throwIfAborted(signal);
        const problems = rowProblems(row);
        if (problems.length > 0) {
          broken.push({ key: row.columns.key, problems });
          continue;
        }
        await sink?.write(toRecordedCall(row));
        exported += 1;
      }
      if (exported + broken.length === 0) throw nothingStored(ledger, stages);
      return { out, exported, broken };
    });
  } finally {
    reader.close();
  }
}

const nothingStored = (ledger: string, stages: readonly string[] | undefined): ConfigError =>
  new ConfigError(`${ledger} has no stored call${stages ? ` of the stage ${stages.join(' or ')}` : ''}`, {
    hint: `see what it has: ./understudy ledger stats ${ledger}`,
  });

export interface ImportConfig {
  readonly ledger: string;
  readonly files: readonly string[];
  /** Count what the answers cost where they were bought: for ledgers of one purse. */
  readonly withCosts: boolean;
}

export interface ImportResult {
  readonly ledger: string;
  readonly rows: number;
  readonly added: number;
  readonly same: number;
  /** Keys of calls that are answered otherwise in the ledger: its own answers stay. */
  readonly conflicting: readonly string[];
}

/** Calls taken over in one transaction. */
const chunkSize = 500;

/** Throws DataError with every row that is no recorded call, before anything is changed. */
export async function importCalls(
  { ledger: file, files, withCosts }: ImportConfig,
  signal: AbortSignal,
): Promise<ImportResult> {
  let rows = 0;
  for (const one of files) for await (const _ of readCalls(one, signal)) rows += 1;
  const ledger = new Ledger(file);
  try {
    const conflicting: string[] = [];
    const counts = { added: 0, same: 0 };
    const take = (calls: readonly RecordedCall[]): void => {
      const adopted = ledger.adopt(calls, { withCosts });
      counts.added += adopted.added;
      counts.same += adopted.same;
      conflicting.push(...adopted.conflicting);
    };
    let chunk: RecordedCall[] = [];
    for (const one of files) {
      for await (const call of readCalls(one, signal)) {
        if (chunk.push(call) < chunkSize) continue;
        take(chunk);
        chunk = [];
      }
    }
    take(chunk);
    if (counts.added + counts.same + conflicting.length !== rows)
      throw new WorkError('the files have changed meanwhile', {
        hint: 'import again: what was taken over is not taken twice',
      });
    return { ledger: file, rows, ...counts, conflicting };
  } finally {
    ledger.close();
  }
}

async function* readCalls(file: string, signal: AbortSignal): AsyncGenerator<RecordedCall> {
  const issues: DataIssue[] = [];
  for await (const line of streamRows(file)) {
    throwIfAborted(signal);
    const { row } = line;
    if (isBroken(line)) {
      issues.push(line);
      continue;
    }
    const call = readRecordedCall(line.value);
    if ('problems' in call) issues.push(...call.problems.map((message) => ({ row, message })));
    else if (issues.length === 0) yield call;
  }
  if (issues.length > 0) {
    throw new DataError(file, issues, {
      hint: 'nothing was imported; write the file with: ./understudy ledger export',
    });
  }
}
