/**
 * Rows that are plainly broken, by the rules of src/data/lints.ts, put aside: OUT gets the others as they stand in the files,
 * OUT.rejects.jsonl each that was found wanting, with the rules and what gave it away. Rows stream: memory does not grow with
 * their number, but for the ids, and for the numbers and code of source texts.
 * ./understudy data lint answers.jsonl --rules cut,refusal --out sound.jsonl
 */
import { existsSync, realpathSync } from 'node:fs';
import { ConfigError, throwIfAborted } from '../src/base/errors.ts';
import { nearestName } from '../src/base/nearest.ts';
import { isObject } from '../src/base/rows.ts';
import { type DataFile, openDataFile } from '../src/data/data-file.ts';
import { loadLanguageDetector } from '../src/data/detect-language.ts';
import { isPreference, type ReadRow } from '../src/data/formats/read-row.ts';
import { shapeOf } from '../src/data/formats/shapes.ts';
import { wrongKind } from '../src/data/formats.ts';
import { type Marks, marksOf } from '../src/data/lints/translation.ts';
import { type Finding, type LintContext, type LintRule, lint, lintRules } from '../src/data/lints.ts';
import type { ConversationTurn } from '../src/data/records.ts';
import { lostNumber } from '../src/data/rewritable.ts';
import { type RowSink, withSinks } from '../src/data/row-sink.ts';
import type { StartProgress } from '../src/run/progress.ts';
import { rejectsName } from './dedupe-input.ts';

export interface LintConfig {
  readonly files: readonly string[];
  readonly out: string;
  /** undefined: all that can be asked. */
  readonly rules?: readonly LintRule[] | undefined;
  /** What the rows were translated from: rows of the same id, or of the same place where they have none. */
  readonly sources?: readonly string[] | undefined;
}

export interface LintResult {
  readonly out: string;
  readonly rejects: string;
  readonly rules: readonly LintRule[];
  readonly rows: number;
  readonly kept: number;
  readonly rejected: number;
  /** Rejected rows by rule; one that breaks two counts in both. */
  readonly findings: Readonly<Partial<Record<LintRule, number>>>;
  /** Rejected rows that are no conversations at all. */
  readonly broken: number;
  /** Rows without a row that they were translated from, where sources are given. */
  readonly withoutSource: number;
}

interface Context {
  readonly signal: AbortSignal;
  readonly progress: StartProgress;
}

/** Throws ConfigError for names of no rule, and for the rule that needs sources where there are none. */
export function parseRules(text: string): LintRule[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !lintRules.includes(name as LintRule));
  if (unknown === undefined) return names as LintRule[];
  const near = nearestName(unknown, lintRules);
  throw new ConfigError(`expected names of rules, got ${JSON.stringify(unknown)}`, {
    hint: near === undefined ? `the rules are ${lintRules.join(', ')}` : `did you mean ${near}?`,
  });
}

/** Writes all or nothing. Throws ConfigError or DataError for files that cannot be read. */
export async function run(config: LintConfig, { signal, progress }: Context): Promise<LintResult> {
  const { files, out, sources } = config;
  const rules = rulesOf(config);
  if (existsSync(out) && files.some((file) => existsSync(file) && realpathSync(file) === realpathSync(out)))
    throw new ConfigError(`${out} is one of the files to read`, { hint: 'choose another --out' });
  const marks = sources && rules.includes('lost-in-translation') ? await readMarks(sources, signal) : undefined;
  const languageOf = rules.includes('wrong-language') ? (await loadLanguageDetector()).detect : undefined;
  const counts = { rows: 0, kept: 0, broken: 0, withoutSource: 0 };
  const findings: Partial<Record<LintRule, number>> = {};
  const bar = progress('linting (files)');
  const startedMs = performance.now();
  const targets = [[out, 'lines'] as const, [rejectsName(out), 'lines'] as const];
  await withSinks(targets, async (sinks) => {
    const [keep, reject] = sinks as readonly [RowSink, RowSink];
    for (const [i, file] of files.entries()) {
      for await (const row of conversations(file)) {
        throwIfAborted(signal);
        counts.rows += 1;
        const { turns, problem } = turnsOf(row);
        if (!turns) {
          counts.broken += 1;
          await reject.write({ file, row: row.row, reason: 'broken row', detail: problem, value: row.value });
          continue;
        }
        const source = marks?.get(keyOf(row, i));
        if (marks && !source) counts.withoutSource += 1;
        const found = lint(turns, { ...said(row.value), source, languageOf }, rules);
        if (found.length === 0) {
          counts.kept += 1;
          await keep.write(row.value as object);
        } else
          await reject.write({
            file,
            row: row.row,
            reason: names(found).join(', '),
            findings: found,
            value: row.value,
          });
        for (const rule of names(found)) findings[rule] = (findings[rule] ?? 0) + 1;
        const rate = (1000 * counts.rows) / (performance.now() - startedMs);
        if (counts.rows % 100 === 0) bar.update(i, files.length, `${counts.rows} rows, ${rate.toFixed(0)} rows/s`);
      }
    }
  });
  bar.finish(`${counts.rows} rows`);
  return { out, rejects: rejectsName(out), rules, rejected: counts.rows - counts.kept, ...counts, findings };
}

function rulesOf({ rules, sources }: LintConfig): readonly LintRule[] {
  const needsSource = (rule: LintRule): boolean => rule === 'lost-in-translation';
  if (!rules) return sources ? lintRules : lintRules.filter((rule) => !needsSource(rule));
  if (!sources && rules.some(needsSource)) {
    throw new ConfigError('lost-in-translation needs what the rows were translated from', {
      hint: 'give it: --source FILE',
    });
  }
  return lintRules.filter((rule) => rules.includes(rule));
}

const names = (findings: readonly Finding[]): LintRule[] => [...new Set(findings.map(({ rule }) => rule))];

async function* conversations(file: string): AsyncGenerator<ReadRow> {
  const data: DataFile = await openDataFile(file);
  if (data.kind !== 'conversations') {
    await data.close();
    throw wrongKind(file, 'conversations', data.form);
  }
  yield* data.rows();
}

/** As src/data/formats/row.ts words it: the one defect that is a rule's matter, and not the reader's. */
const emptyAnswer = 'empty answer';

/** The turns of a row, or what keeps it from having any, or from being written again. */
function turnsOf({ record, value, issues }: ReadRow): {
  readonly turns?: readonly ConversationTurn[];
  readonly problem?: string;
} {
  const lost = lostNumber(value);
  if (lost !== undefined) return { problem: `expected numbers that JavaScript can hold, got ${lost}` };
  if (record && !isPreference(record)) return { turns: record.messages };
  const others = issues.filter(({ message }) => message !== emptyAnswer);
  const shape = isObject(value) ? shapeOf(value) : undefined;
  if (others.length === 0 && isObject(value) && shape?.kind === 'conversations')
    return { turns: shape.read(value, () => {}).turns };
  return { problem: others.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ') };
}

/** What the row itself says: a language that was only guessed at is no reason to reject one. */
function said(value: unknown): Pick<LintContext, 'language' | 'finishReason'> {
  const { language, finishReason, finish_reason = finishReason } = value as Readonly<Record<string, unknown>>;
  return {
    language: typeof language === 'string' && language !== '' ? language : undefined,
    finishReason: typeof finish_reason === 'string' ? finish_reason : undefined,
  };
}

/** The row's own id, or its place. `file`: which of the files. */
function keyOf({ value, row }: ReadRow, file: number): string {
  const id = isObject(value) ? value['id'] : undefined;
  return typeof id === 'string' || typeof id === 'number' ? `id ${id}` : `file ${file} row ${row}`;
}

async function readMarks(sources: readonly string[], signal: AbortSignal): Promise<Map<string, Marks>> {
  const marks = new Map<string, Marks>();
  for (const [i, file] of sources.entries()) {
    for await (const row of conversations(file)) {
      throwIfAborted(signal);
      const task = turnsOf(row).turns?.find(({ role }) => role === 'user');
      if (task) marks.set(keyOf(row, i), marksOf(task.content));
    }
  }
  return marks;
}
