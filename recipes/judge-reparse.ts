/**
 * A judge's archived verdicts, read again from its folder as the program reads them today: nobody is asked, nothing is paid.
 * Rows and summary are written anew.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../src/base/atomic.ts';
import { DataError } from '../src/base/errors.ts';
import { readJson, toJsonl } from '../src/base/jsonl.ts';
import { type JudgeRow, judgeModes, readJudgeRows } from '../src/evaluate/judge-rows.ts';
import { readAskings } from '../src/evaluate/judge-verdicts.ts';
import { type JudgeSummary, rowsFile, summaryFile, writeSummary } from './judge.ts';
import type { JudgedFiles } from './judge-input.ts';

const archiveSchema = z.object({
  settings: z.object({
    mode: z.enum(judgeModes),
    teacher: z.string(),
    judgeModel: z.string(),
    models: z.array(z.string()).min(1),
    baseline: z.string().nullable(),
    own: z.array(z.string()),
    samples: z.int(),
    temperature: z.number(),
    maxTokens: z.int(),
    seed: z.int(),
  }),
  files: z.custom<JudgedFiles>((value) => typeof value === 'object' && value !== null),
});

export interface Reparsed {
  readonly summary: JudgeSummary;
  /** Rows whose verdict is another than it was, or is one now, or is none any more. */
  readonly changed: number;
}

/** Throws ConfigError where the folder holds no such files, DataError where they are broken. */
export function reparse(folder: string): Reparsed {
  const file = join(folder, summaryFile);
  const parsed = archiveSchema.safeParse(readJson(file));
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
    throw new DataError(file, issues, { hint: 'expected the summary.json that `evaluate judge` wrote' });
  }
  const { settings, files } = parsed.data;
  const before = readJudgeRows(join(folder, rowsFile));
  const rows = before.map(({ verdict: _verdict, problem: _problem, ...row }): JudgeRow => {
    return { ...row, ...readAskings(settings.mode, row) };
  });
  const saying = ({ verdict }: JudgeRow): string => JSON.stringify(verdict) ?? '';
  const changed = rows.filter((row, i) => saying(row) !== saying(before[i] as JudgeRow)).length;
  writeFileAtomic(join(folder, rowsFile), toJsonl(rows));
  return { summary: writeSummary(folder, settings, files, rows), changed };
}
