import { ConfigError, DataError, formatIssue } from '../../src/base/errors.ts';
import { type Command, command, interruptible } from '../command.ts';
import { green, printJson, say } from '../terminal.ts';
import { readForms } from './data-options.ts';

export function validateCommand(): Command {
  return command('validate', 'check every row of data files; names each broken one', [
    'data validate my-data.json',
    'data validate *.jsonl.gz --json',
  ])
    .argument('<files...>', readForms)
    .option('--json', 'print one JSON document')
    .action(validate);
}

/** So many issues are an error's own lines; more are listed before it. */
const fewIssues = 5;

async function validate(files: readonly string[], { json }: { json?: boolean }): Promise<void> {
  const { run } = await import('../../recipes/validate-data.ts');
  const report = await interruptible((signal) => run(files, signal));
  if (json) printJson(report);
  const bad = report.files.filter(({ issues }) => issues.length > 0);
  for (const { file, form, rows, issues } of report.files) {
    if (issues.length === 0) say(`${green('✓')} ${file}: ${rows} rows, ${form}`);
  }
  const [first] = bad;
  if (first === undefined) {
    if (files.length > 1) say(`${report.rows} rows: ${formatCounts(report.byForm)}`);
    return;
  }
  const hint = `${report.broken} of ${report.rows} rows are broken`;
  if (bad.length === 1 && first.issues.length <= fewIssues)
    throw new DataError(first.file, first.issues, { hint: first.hint ?? hint });
  for (const { file, issues } of bad) for (const issue of issues) say(formatIssue(file, issue));
  throw new ConfigError(`${hint}, in ${bad.length} of ${files.length} files`, {
    hint: first.hint ?? 'mend these rows, or put them aside: data convert FILE --rejects FILE',
  });
}

const formatCounts = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([form, rows]) => `${rows} ${form}`)
    .join(', ');
