/** A ledger as it stands on disk, read from a copy: a killed process's ledger must be left as that process left it. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { requestHash } from '../teacher/fault-server/chance.mjs';

/**
 * Rows by what the fault server calls their requests.
 * @param {string} file
 * @returns {Map<string, { state: 'sent' | 'stored' | 'failed', attempts: number, finishedAt: number, text: string }>}
 */
export function readLedger(file) {
  const folder = mkdtempSync(join(tmpdir(), 'ledger-copy-'));
  try {
    const copy = join(folder, 'ledger.sqlite');
    for (const part of ['', '-wal']) if (existsSync(file + part)) copyFileSync(file + part, copy + part);
    const database = new Database(copy);
    const isMade = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'calls'").all().length > 0;
    // A process that was killed before its first row may not have come to making the table.
    const rows = isMade
      ? database.prepare('SELECT state, request, answer, attempts, finished_at FROM calls').all()
      : [];
    database.close();
    return new Map(rows.map((row) => [hashOf(row.request), toRow(row)]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function toRow({ state, answer, attempts, finished_at: finished }) {
  const { text = '' } = answer === null ? {} : JSON.parse(answer);
  return { state, attempts, text, finishedAt: finished === null ? Number.POSITIVE_INFINITY : Date.parse(finished) };
}

/** @param {string} request as the ledger keeps it */
function hashOf(request) {
  const { model, messages, parameters } = JSON.parse(request);
  const { maxTokens, temperature } = parameters;
  return requestHash({ model, messages, max_tokens: maxTokens, temperature });
}
