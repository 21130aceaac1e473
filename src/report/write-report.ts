/**
 * Writes a report: index.html, report.md, report.json and figures.csv, each whole or not at all, the page last. The same
 * input gives the same bytes. Scripts of rows that an older page had are taken away once the new page stands.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic, writeJsonAtomic } from '../base/atomic.ts';
import { figureRecords, figuresCsv } from './figures.ts';
import { headlineRows } from './headline.ts';
import { reportMarkdown } from './markdown.ts';
import { reportPage } from './page.ts';
import type { Part } from './part.ts';
import { plain, plainWithoutSecrets } from './plain.ts';
import type { Report, ReportInput, Source } from './report-input.ts';
import { headlineTable, reportParts, reportRows, runsOf } from './report-parts.ts';
import { packRows } from './row-files.ts';
import type { RowSet } from './rows.ts';
import { english, type Words } from './words.ts';

/** The report's files inside its folder. */
export const reportFiles = {
  page: 'index.html',
  markdown: 'report.md',
  json: 'report.json',
  csv: 'figures.csv',
} as const;

/** Where a run's own report stands in its folder. */
export const runReportFolder = 'report';

/** The number in `format` changes with the form of report.json. */
export function reportJson(report: Report, parts: readonly Part[], sets: readonly RowSet[], words: Words): unknown {
  return {
    format: 'understudy-report/2',
    title: report.title,
    language: words.language,
    figures: plain(figureRecords(parts, sets)),
    sources: report.sources.map(sourceJson),
  };
}

function sourceJson(source: Source): unknown {
  const { kind, name, files } = source;
  switch (source.kind) {
    case 'run': {
      // They stand in files of their own.
      const { config, dataRows: _data, removed: _removed, calls: _calls, ...rest } = source.input;
      const headline = headlineRows(source.input.evaluation.summary);
      return { kind, name, files, ...(plain({ ...rest, headline }) as object), config: plainWithoutSecrets(config) };
    }
    case 'judge': {
      const { turns, ...rest } = source.input;
      return { kind, name, files, ...(plain(rest) as object), turns: turns && Object.fromEntries(turns) };
    }
    case 'rl': {
      // Answers stand in their file.
      const { answers: _, ...rest } = source.input;
      return { kind, name, files, ...(plain(rest) as object) };
    }
    case 'training': {
      const { heldOut: _, ...rest } = source.input;
      return { kind, name, files, ...(plain(rest) as object) };
    }
    case 'people': {
      const { verdicts, ...rest } = source.input;
      return {
        kind,
        name,
        files,
        ...(plain(rest) as object),
        ...(verdicts && { verdicts: Object.fromEntries(verdicts) }),
      };
    }
    default:
      return { kind, name, files, ...(plain(source.input) as object) };
  }
}

/** The headline table as a part: page and Markdown show it in their own way, its figures count with the others. */
function withHeadline(report: Report, parts: readonly Part[], words: Words): readonly Part[] {
  const runs = runsOf(report);
  if (runs.length === 0) return parts;
  const title = words.say('Before and after');
  return [{ id: 'headline', title, blocks: [{ kind: 'table', table: headlineTable(runs, words) }] }, ...parts];
}

/** Other files in `folder` are left alone. Returns the page's path. */
export function writeReport(folder: string, report: Report, words: Words = english): string {
  // Made before anything is written: what fails leaves the older report as it is.
  const parts = reportParts(report, words);
  const sets = reportRows(report, words);
  const rows = packRows(sets);
  const page = reportPage(report, parts, rows, words);
  const markdown = reportMarkdown(report, parts, words);
  const all = withHeadline(report, parts, words);
  const json = reportJson(report, all, sets, words);
  const csv = figuresCsv(figureRecords(all, sets));
  for (const { path, content } of rows.files) writeFileAtomic(join(folder, path), content);
  writeJsonAtomic(join(folder, reportFiles.json), json);
  writeFileAtomic(join(folder, reportFiles.markdown), markdown);
  writeFileAtomic(join(folder, reportFiles.csv), csv);
  writeFileAtomic(join(folder, reportFiles.page), page);
  removeOlderRows(folder, new Set(rows.files.map(({ path }) => path)));
  return join(folder, reportFiles.page);
}

/** Only what is named as ours. */
function removeOlderRows(folder: string, current: ReadonlySet<string>): void {
  const rows = join(folder, 'rows');
  if (!existsSync(rows)) return;
  for (const name of readdirSync(rows)) {
    if (/^[a-z]+-\d+-[a-z]+-\d+-[0-9a-f]{8}\.js$/.test(name) && !current.has(`rows/${name}`)) rmSync(join(rows, name));
  }
}

/** A single run as a report. */
export const reportOfRun = (input: ReportInput, files: Source['files'] = {}): Report => ({
  title: input.title,
  sources: [{ kind: 'run', name: input.title, files, input }],
});
