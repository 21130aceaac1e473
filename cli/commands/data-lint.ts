import type { LintResult } from '../../recipes/lint.ts';
import { type Command, command, interruptible } from '../command.ts';
import { print, printJson, progressBar, say } from '../terminal.ts';
import { readForms } from './data-options.ts';

/** As src/data/lints.ts has them: help must not load that. A test holds the two together. */
export const ruleNames = [
  'empty',
  'echo',
  'cut',
  'refusal',
  'repetition',
  'untranslated',
  'wrong-language',
  'not-text',
  'lost-in-translation',
] as const;

interface LintFlags {
  readonly out: string;
  readonly rules?: string;
  readonly source?: string[];
  readonly json?: boolean;
}

export function lintCommand(): Command {
  return command('lint', 'put rows aside that are plainly broken: cut, empty, refused, in the wrong language, …', [
    'data lint answers.jsonl --out sound.jsonl',
    'data lint zh.jsonl --rules untranslated,lost-in-translation --source en.jsonl --out sound.jsonl.gz --json',
  ])
    .argument('<files...>', readForms)
    .requiredOption('--out <file>', 'rows that pass, as they are; OUT.rejects.jsonl gets the others, with reasons')
    .option('--rules <names>', `some of ${ruleNames.join(',')} (default: all)`)
    .option('--source <files...>', 'what the rows were translated from, by id or place: for lost-in-translation')
    .option('--json', 'print one JSON document')
    .action(lint);
}

async function lint(files: string[], { out, rules, source, json }: LintFlags): Promise<void> {
  const { run, parseRules } = await import('../../recipes/lint.ts');
  const config = { files, out, rules: rules === undefined ? undefined : parseRules(rules), sources: source };
  const result = await interruptible((signal) => run(config, { signal, progress: progressBar }));
  if (json) printJson(result);
  else showCounts(result);
  if (result.withoutSource > 0)
    say(`${result.withoutSource} rows have no row in --source, and were not held against one`);
}

function showCounts({ out, rejects, rules, rows, kept, rejected, findings, broken }: LintResult): void {
  const line = (name: string, count: number): void => print(name.padEnd(22) + `${count}`.padStart(10));
  for (const rule of rules) line(rule, findings[rule] ?? 0);
  line('broken row', broken);
  line('rejected', rejected);
  line('all', rows);
  print(`${kept} rows kept: ${out}; what went: ${rejects}`);
}
