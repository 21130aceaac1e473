/**
 * ROUGE of a file of answers, kept in a folder: summary.json is what `evaluate rouge --json` prints, rows.jsonl the pairs behind
 * it. Both are whole or absent. The measure itself is in src/evaluate/rouge.ts.
 * ./understudy evaluate rouge --answers answers.jsonl --references references.jsonl --out rouge
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { addFilesAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { ConfigError } from '../src/base/errors.ts';
import { readJson } from '../src/base/jsonl.ts';
import { isObject } from '../src/base/rows.ts';
import { withSinks } from '../src/data/row-sink.ts';
import type { AnswerPair } from '../src/evaluate/answer-pairs.ts';
import { type RougeByLength, type RougeByLengthOptions, rougeRows, summarizeRouge } from '../src/evaluate/rouge.ts';
import { rowsFile, summaryFile } from './judge.ts';

export async function run(
  pairs: readonly AnswerPair[],
  options: RougeByLengthOptions,
  folder: string,
): Promise<RougeByLength> {
  checkRougeFolder(folder);
  const rows = rougeRows(pairs, options);
  const summary = summarizeRouge(rows);
  await addFilesAtomic(folder, summaryFile, async (temporary) => {
    await withSinks([[join(temporary, rowsFile), 'lines']], async ([sink]) => {
      for (const row of rows) await sink?.write(row);
    });
    writeJsonAtomic(join(temporary, summaryFile), summary);
  });
  return summary;
}

/** Throws ConfigError for a folder with anything in it but earlier results of ROUGE, whose place the new ones take. */
export function checkRougeFolder(folder: string): void {
  if (!existsSync(folder)) return;
  const hint = 'give a folder that is not there yet, an empty one, or that of an earlier `evaluate rouge --out`';
  if (!statSync(folder).isDirectory())
    throw new ConfigError(`--out: expected a folder, got the file ${folder}`, { hint });
  const names = readdirSync(folder).filter((name) => !name.startsWith('.'));
  if (names.length === 0) return;
  const summary = join(folder, summaryFile);
  if (existsSync(summary) && isRouge(readJson(summary))) return;
  const shown = names.slice(0, 3).join(', ') + (names.length > 3 ? ', …' : '');
  throw new ConfigError(`--out: ${folder} holds something else than results of \`evaluate rouge\`: ${shown}`, { hint });
}

export const isRouge = (value: unknown): value is RougeByLength =>
  isObject(value) && isObject(value['all']) && Array.isArray(value['buckets']) && isObject(value['cjk']);
