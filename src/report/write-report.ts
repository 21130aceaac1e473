/**
 * Writes the report of a run: report/index.html, report/report.md and report/report.json, each whole or not at all,
 * the page last. The same input gives the same bytes.
 */
import { join } from 'node:path';
import { writeFileAtomic, writeJsonAtomic } from '../base/atomic.ts';
import { headlineRows } from './headline.ts';
import { reportMarkdown } from './markdown.ts';
import { reportPage } from './page.ts';
import { plain, plainWithoutSecrets } from './plain.ts';
import type { ReportInput } from './report-input.ts';

/** The report's files inside a run's folder. */
export const reportFiles = {
  page: join('report', 'index.html'),
  markdown: join('report', 'report.md'),
  json: join('report', 'report.json'),
} as const;

/** The number in `format` changes with the form of report.json. */
export function reportJson(input: ReportInput): unknown {
  const { config, ...rest } = input;
  const headline = headlineRows(input.evaluation.summary);
  return {
    format: 'understudy-report/1',
    ...(plain({ ...rest, headline }) as object),
    config: plainWithoutSecrets(config),
  };
}

/** `folder` is the run's; other files in its report folder are left alone. */
export function writeReport(folder: string, input: ReportInput): void {
  // Made before anything is written: what fails leaves the older report as it is.
  const page = reportPage(input);
  const markdown = reportMarkdown(input);
  const json = reportJson(input);
  writeJsonAtomic(join(folder, reportFiles.json), json);
  writeFileAtomic(join(folder, reportFiles.markdown), markdown);
  writeFileAtomic(join(folder, reportFiles.page), page);
}
