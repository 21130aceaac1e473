/** The report of a run, made from its files alone: it can be made again at any time, and asks nobody. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DataError } from '../src/base/errors.ts';
import { parseJsonl, readJson, readText } from '../src/base/jsonl.ts';
import type { DataStatistics } from '../src/data/statistics.ts';
import type { EvaluationRow } from '../src/evaluate/rows.ts';
import { summarize } from '../src/evaluate/summary.ts';
import { reportFiles, writeReport } from '../src/report/write-report.ts';
import { rowsFile } from './evaluate.ts';
import { type RunRecord, runFile, statisticsFile } from './run-record.ts';
import type { SftResult } from './sft.ts';
import type { TrainingRow } from './training-folder.ts';

/** Returns the page's path. */
export function run(output: string): string {
  const file = join(output, runFile);
  if (!existsSync(file)) {
    throw new ConfigError(`${output} holds no finished run: ${runFile} is missing`, {
      hint: 'give the output folder of `./understudy run`',
    });
  }
  const { config, versions, finishedAt, stages: names, costs } = readRecord(file);
  const stages = {
    data: join(output, names.data),
    sft: join(output, names.sft),
    evaluate: join(output, names.evaluate),
  };
  const sft = readJson(join(stages.sft, 'sft.json')) as SftResult;
  const rows = readRows<EvaluationRow>(join(stages.evaluate, rowsFile));
  writeReport(output, {
    title: config.name,
    finishedAt,
    provenance: config.about,
    versions,
    config,
    data: readJson(join(stages.data, statisticsFile)) as DataStatistics[],
    training: {
      log: readRows<TrainingRow>(join(stages.sft, 'train.jsonl')),
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
    costs,
  });
  return join(output, reportFiles.page);
}

function readRecord(file: string): RunRecord {
  const record = readJson(file) as Partial<RunRecord> | null;
  const { data, sft, evaluate } = record?.stages ?? {};
  if (record?.config === undefined || !data || !sft || !evaluate) {
    throw new DataError(file, { message: 'expected the record of a run: config, stages, costs' });
  }
  return record as RunRecord;
}

const readRows = <Row>(file: string): Row[] => parseJsonl(readText(file), file).map(({ value }) => value as Row);
