import { dirname } from 'node:path';
import type { ScoreResult } from '../../recipes/score-data.ts';
import { ConfigError } from '../../src/base/errors.ts';
import { type Command, command, interruptible, positiveNumber, realNumber } from '../command.ts';
import { green, print, printJson, say } from '../terminal.ts';
import { cardOption, checkDistinct, readForms } from './data-options.ts';
import { splitTeacherFlags, type TeacherFlags, withTeacher } from './generate.ts';

interface ScoreFlags extends TeacherFlags {
  readonly threshold: number;
  readonly rejects?: string;
  readonly card?: string;
  readonly maxTokens: number;
}

export function scoreCommand(): Command {
  const made = command('score', 'keep rows whose last answer a teacher gives a score from a threshold on, of 1 to 5', [
    'data score answers.jsonl --provider openai --model gpt-4.1-mini --budget-usd 5 --threshold 4 --out good.jsonl',
    'data score a.json b.json --provider local --threshold 3.5 --out good.json --card README.md --json',
  ]).argument('<files...>', readForms);
  return withTeacher(made, {
    flag: '--out <file>',
    text: 'rows from the threshold on, as they are',
    ledger: 'OUT.ledger.sqlite',
  })
    .option('--threshold <score>', 'lowest score that is kept; another one asks nothing again', realNumber, 4)
    .option('--rejects <file>', 'the other rows, with score and reason (default: OUT.rejects.jsonl)')
    .addOption(cardOption())
    .option('--max-tokens <n>', 'longest verdict', positiveNumber, 192)
    .action(score);
}

async function score(files: string[], flags: ScoreFlags): Promise<void> {
  const { teacher, out, json, context, settings } = splitTeacherFlags(flags);
  const { threshold, maxTokens, rejects = `${out}.rejects.jsonl`, card } = settings as unknown as ScoreFlags;
  checkDistinct({ '--out': out, '--rejects': rejects, '--card': card });
  const { qualityRange } = await import('../../src/generate/quality.ts');
  const { lowest, highest } = qualityRange;
  if (threshold < lowest || threshold > highest)
    throw new ConfigError(`--threshold: expected a score from ${lowest} to ${highest}, got ${threshold}`);
  const { parseConfig } = await import('../../src/run/config.ts');
  const { teacherConfigSchema } = await import('../../src/teacher/open-teacher.ts');
  const config = { teacher: parseConfig(teacherConfigSchema, teacher, 'data score'), maxTokens, threshold };
  const { run } = await import('../../recipes/score-data.ts');
  const { survey } = await import('../../recipes/score-input.ts');
  const input = { files, out, rejects, card };
  const surveyed = await interruptible((signal) => survey(input, signal));
  const { withRunContext } = await import('../run-context.ts');
  const opened = { ...context, output: dirname(out), ledger: context.ledger ?? `${out}.ledger.sqlite` };
  const result = await withRunContext(opened, (runContext) => run(config, input, surveyed, runContext));
  if (json) printJson(result);
  else show(result);
}

/** Of the longest bar. */
const barWidth = 40;

function show({ histogram, mean, kept, below, unreadable, failed, broken, rows, out, rejects }: ScoreResult): void {
  const most = Math.max(...histogram.map((one) => one.rows));
  for (const { score: value, rows: count } of histogram) {
    const bar = '█'.repeat(Math.ceil((barWidth * count) / most));
    print(`${`${value}`.padStart(6)}${`${count}`.padStart(10)}  ${bar}`);
  }
  if (mean !== null) print(`  mean ${mean.toFixed(2)}`);
  for (const [name, count] of Object.entries({ kept, below, unreadable, failed, 'broken row': broken, all: rows }))
    print(name.padEnd(12) + `${count}`.padStart(8));
  say(`${green('✓')} ${out}: ${kept} of ${rows} rows; the others, with score and reason: ${rejects}`);
}
