/**
 * The rows behind a run's figures on data and costs: what was trained on, what was taken away and why, every call of the ledger.
 * They are read from the files of the run's stages; of calls the numbers alone, never what was asked or said.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { ConfigError } from '../src/base/errors.ts';
import { parseJsonl, readJson, readText } from '../src/base/jsonl.ts';
import { redact } from '../src/base/redact.ts';
import type { DataStatistics } from '../src/data/statistics.ts';
import { rowTexts } from '../src/data/statistics-row.ts';
import type { DataRow, LedgerCall, RemovedRow, VerbNounFound } from '../src/report/report-input.ts';
import { ledgerPath } from '../src/teacher/ledger-file.ts';
import { LedgerReader } from '../src/teacher/ledger-reader.ts';
import type { Columns } from '../src/teacher/ledger-row.ts';
import type { TeacherAnswer, TeacherRequest } from '../src/teacher/teacher.ts';
import { scriptLanguage, verbNounOf } from '../src/text/verb-noun.ts';
import type { SftResult } from './sft.ts';

/** A set of the training data, and the folder of the stage that made it, by their order in the data stage. */
export interface MadeSet {
  readonly name: string;
  readonly folder: string;
  readonly hasFigures: boolean;
}

export const rowsOfFile = <Row>(file: string): Row[] =>
  parseJsonl(readText(file), file).map(({ value }) => value as Row);

/** Throws ConfigError with the names of files that are not there; `again`: what brings them back. */
export function requireFiles(folder: string, files: readonly string[], again: string): void {
  const missing = files.filter((file) => !existsSync(file));
  if (missing.length === 0) return;
  throw new ConfigError(`${folder} lacks ${missing.map((file) => relative(folder, file)).join(', ')}`, {
    hint: `made by another version, moved in part, or not finished: ${again}`,
  });
}

/** A run may have been moved: of the paths that its stages recorded the last two names count. */
export function madeSets(run: string, dataFolder: string, statistics: readonly DataStatistics[]): MadeSet[] {
  const file = join(dataFolder, 'stage.json');
  if (!existsSync(file)) return [];
  const { inputs = [] } = readJson(file) as { readonly inputs?: readonly { readonly file: string }[] };
  return statistics.flatMap(({ name, figures }, i) => {
    const input = inputs[i];
    if (input === undefined) return [];
    return [{ name, folder: join(run, basename(dirname(input.file))), hasFigures: figures !== undefined }];
  });
}

interface TrainedRow {
  readonly id?: string;
  readonly language?: string;
  readonly category?: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly provenance?: { readonly teacher?: string; readonly file?: string; readonly calls?: readonly string[] };
}

/** The last answer is the answer; all before it, with roles where there is more than a question, is the prompt. */
export function readDataRows(
  file: string,
  sets: readonly MadeSet[],
  { cut, dropped }: Pick<SftResult['receipt'], 'cut' | 'dropped'>,
): DataRow[] {
  const setOf = new Map(sets.map((set) => [basename(set.folder), set]));
  const [isCut, isDropped] = [cut, dropped].map((issues) => new Map(issues.map(({ row, message }) => [row, message])));
  return rowsOfFile<TrainedRow>(file).map((row, i): DataRow => {
    const { id, language, category, messages, provenance } = row;
    const set = provenance?.file === undefined ? undefined : setOf.get(basename(dirname(provenance.file)));
    const receipt = isDropped?.get(i + 1) ?? isCut?.get(i + 1);
    return {
      id: id ?? String(i + 1),
      ...(set && { set: set.name }),
      language: language ?? 'unknown',
      category: category ?? 'unknown',
      teacher: provenance?.teacher ?? 'unknown',
      prompt: promptOf(messages.slice(0, -1)),
      answer: messages.at(-1)?.content ?? '',
      ...(provenance?.calls && { calls: provenance.calls }),
      ...(receipt !== undefined && { receipt: { kind: isDropped?.has(i + 1) ? 'dropped' : 'cut', message: receipt } }),
      ...(set?.hasFigures && { verbNouns: verbNounsOf(row) }),
    };
  });
}

function promptOf(turns: TrainedRow['messages']): string {
  const isPlain = turns.length === 1 && turns[0]?.role === 'user';
  return isPlain ? turns[0]!.content : turns.map(({ role, content }) => `[${role}] ${content}`).join('\n\n');
}

/** As the statistics count them (src/data/statistics-set.ts). */
function verbNounsOf({ messages, language }: TrainedRow): NonNullable<DataRow['verbNouns']> {
  const texts = rowTexts({ messages, ...(language !== undefined && { language }) });
  const found = (text: string): VerbNounFound[] => {
    const script = scriptLanguage(text);
    const one = script && verbNounOf(text, script);
    return one ? [one] : [];
  };
  return { instructions: found(texts?.instruction ?? ''), answers: (texts?.outputs ?? []).flatMap(found) };
}

interface Reject {
  readonly id?: string;
  readonly reason?: string;
  readonly detail?: string;
  readonly text?: string;
  readonly call?: string;
}

interface Overlap {
  readonly row: number;
  readonly id: string;
  readonly question: string;
  readonly reason: string;
  readonly detail: string;
}

/** Under the reasons that the statistics have. undefined where a stage's file of what it rejected is not there. */
export function readRemoved(dataFolder: string, sets: readonly MadeSet[]): RemovedRow[] | undefined {
  const files = sets.map(({ folder }) => join(folder, 'rejects.jsonl'));
  if (sets.length === 0 || !files.every(existsSync)) return undefined;
  const overlaps = join(dataFolder, 'removed.jsonl');
  const found = existsSync(overlaps) ? rowsOfFile<Overlap>(overlaps) : [];
  return sets.flatMap(({ name, folder }, i) => [
    ...rejected(name, files[i]!),
    // Tasks of a translation that never came to be answered.
    ...rejected('untranslated', join(folder, 'untranslated.jsonl')),
    ...overlapping(name, folder, found),
  ]);
}

function rejected(set: string, file: string): RemovedRow[] {
  if (!existsSync(file)) return [];
  return rowsOfFile<Reject>(file).map(({ id, reason, detail, text = '', call }, i) => ({
    ...{ set, id: id ?? String(i + 1), reason: reason ?? 'unknown', text, file: placeOf(file, i + 1) },
    ...(detail !== undefined && { detail }),
    ...(call !== undefined && { calls: [call] }),
  }));
}

/** `generate-6e752ca2/rejects.jsonl:3`. */
const placeOf = (file: string, row: number): string => `${basename(dirname(file))}/${basename(file)}:${row}`;

/** What test questions would be recognised in: rows of this set, each with all the questions. */
function overlapping(set: string, folder: string, found: readonly Overlap[]): RemovedRow[] {
  const data = join(folder, 'data.jsonl');
  if (found.length === 0 || !existsSync(data)) return [];
  const rows = rowsOfFile<TrainedRow>(data);
  const own = found.filter(({ row, id }) => rows[row]?.id === id);
  return [...new Set(own.map(({ row }) => row))].map((at): RemovedRow => {
    const { id, messages, provenance } = rows[at]!;
    const shared = own.filter(({ row }) => row === at).map(({ question, detail }) => `${question}: ${detail}`);
    return {
      ...{ set, id: id ?? String(at + 1), reason: 'overlaps with a test question', file: placeOf(data, at + 1) },
      prompt: promptOf(messages.slice(0, -1)),
      text: messages.at(-1)?.content ?? '',
      detail: shared.join('\n'),
      ...(provenance?.calls && { calls: provenance.calls }),
    };
  });
}

const fetched = [
  ...(['key', 'state', 'stage', 'teacher', 'request', 'answer', 'error', 'cost_usd'] as const),
  ...(['upper_bound_usd', 'lost_usd', 'attempts', 'batch', 'created_at', 'finished_at'] as const),
] satisfies readonly (keyof Columns)[];

/** undefined where the folder has no ledger: the run was told to use one elsewhere. */
export function readCalls(folder: string): LedgerCall[] | undefined {
  const file = ledgerPath(folder);
  if (!existsSync(file)) return undefined;
  const reader = new LedgerReader(file);
  try {
    return [...reader.pick(fetched)].map(callOf);
  } finally {
    reader.close();
  }
}

function callOf(row: Pick<Columns, (typeof fetched)[number]>): LedgerCall {
  const request = parsed<TeacherRequest>(row.request);
  const answer = parsed<TeacherAnswer>(row.answer);
  const error = parsed<{ readonly message?: string; readonly status?: number }>(row.error);
  // A row in a batch is awaited, not in doubt.
  const state = row.state === 'sent' ? (row.batch === null ? 'in doubt' : 'awaited') : row.state;
  const at = row.finished_at ?? row.created_at;
  return {
    ...{ key: row.key, stage: row.stage, teacher: row.teacher, model: request?.model ?? 'unknown', state, at },
    ...{ costUsd: row.cost_usd, upperBoundUsd: row.upper_bound_usd, lostUsd: row.lost_usd, attempts: row.attempts },
    isBatch: row.batch !== null,
    ...(answer?.usage && { inputTokens: answer.usage.inputTokens, outputTokens: answer.usage.outputTokens }),
    ...(answer?.finishReason && { finishReason: answer.finishReason }),
    ...(error?.message !== undefined && { error: redact(error.message) }),
  };
}

/** undefined for a broken row too: `ledger verify` says so. */
function parsed<T>(text: string | null): T | undefined {
  if (text === null) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
