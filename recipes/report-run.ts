/** A run as the report takes it, read from the files of its stages. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DataError } from '../src/base/errors.ts';
import { readJson } from '../src/base/jsonl.ts';
import type { DataStatistics } from '../src/data/statistics.ts';
import type { EvaluationRow } from '../src/evaluate/rows.ts';
import { summarize } from '../src/evaluate/summary.ts';
import type { ReportInput } from '../src/report/report-input.ts';
import { ledgerPath } from '../src/teacher/ledger-file.ts';
import { rowsFile } from './evaluate.ts';
import { readLoop } from './report-loop.ts';
import { madeSets, readCalls, readDataRows, readRemoved, requireFiles, rowsOfFile } from './report-run-rows.ts';
import { type RunRecord, runFile, statisticsFile, trainFile } from './run-record.ts';
import type { SftResult } from './sft.ts';
import type { TrainingRow } from './training-folder.ts';

export interface RunFiles {
  readonly input: ReportInput;
  /** Where rows come from, by name. */
  readonly files: Readonly<Record<string, string>>;
}

const again = 'give the same `./understudy run` command again, which finds what is done and makes what is missing';

/** Throws ConfigError where a file of a stage is missing, DataError where one is broken. */
export function readRun(folder: string): RunFiles {
  const { config, versions, finishedAt, stages: names, costs, loop } = readRecord(join(folder, runFile));
  // Earlier versions recorded whole paths.
  const stages = {
    data: join(folder, basename(names.data)),
    sft: join(folder, basename(names.sft)),
    evaluate: join(folder, basename(names.evaluate)),
  };
  const files = {
    questions: join(stages.evaluate, rowsFile),
    steps: join(stages.sft, 'train.jsonl'),
    data: join(stages.data, trainFile),
    calls: ledgerPath(folder),
  };
  const results = { sft: join(stages.sft, 'sft.json'), statistics: join(stages.data, statisticsFile) };
  requireFiles(folder, [files.questions, files.steps, results.sft, results.statistics], again);
  const sft = readJson(results.sft) as SftResult;
  const statistics = readJson(results.statistics) as DataStatistics[];
  const rows = rowsOfFile<EvaluationRow>(files.questions);
  const sets = madeSets(folder, stages.data, statistics);
  const input: ReportInput = {
    title: config.name,
    finishedAt,
    provenance: config.about,
    versions,
    config,
    data: statistics,
    dataRows: existsSync(files.data) ? readDataRows(files.data, sets, sft.receipt) : undefined,
    removed: readRemoved(stages.data, sets),
    calls: readCalls(folder),
    training: {
      log: rowsOfFile<TrainingRow>(files.steps),
      documents: sft.receipt.kept,
      trainedTokens: sft.trainedTokens,
      labelTokens: sft.labelTokens,
      cut: sft.receipt.cut.length,
      dropped: sft.receipt.dropped.length,
      seconds: sft.seconds,
      parameters: sft.parameters,
      dtype: sft.dtype,
    },
    evaluation: { summary: summarize(rows), rows },
    ...(loop && { loop: readLoop(folder, loop, again) }),
    // Earlier versions did not count them.
    costs: costs.map((cost) => ({ ...cost, unpricedCalls: cost.unpricedCalls ?? 0 })),
  };
  return { files, input };
}

function readRecord(file: string): RunRecord {
  const record = readJson(file) as Partial<RunRecord> | null;
  const { data, sft, evaluate } = record?.stages ?? {};
  if (record?.config === undefined || !data || !sft || !evaluate || !Array.isArray(record.costs)) {
    throw new DataError(
      file,
      { message: 'expected the record of a run: config, stages, costs' },
      { hint: `made by another version, or broken: ${again}` },
    );
  }
  return record as RunRecord;
}
