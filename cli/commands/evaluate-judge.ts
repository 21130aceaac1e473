import { Option } from 'commander';
import type { JudgeSummary } from '../../recipes/judge.ts';
import { ConfigError } from '../../src/base/errors.ts';
import { type Command, command, positiveNumber, realNumber, wholeNumber } from '../command.ts';
import { green, print, printJson, say } from '../terminal.ts';
import { splitTeacherFlags, type TeacherFlags, withTeacher } from './generate.ts';

interface JudgeFlags extends TeacherFlags {
  readonly answers?: string[];
  readonly references?: string;
  readonly allowMissing?: boolean;
  readonly reparse?: boolean;
  readonly import?: string;
}

export function judgeCommand(): Command {
  const made = command(
    'judge',
    'a teacher judges models’ answers: one by one, two side by side, or beside a reference',
    [
      'evaluate judge vicuna-80.jsonl --answers mine=mine.jsonl vicuna=vicuna-13b.jsonl --mode pair --baseline vicuna --provider openai --model gpt-4.1 --budget-usd 5 --out judged',
      'evaluate judge mt-bench.jsonl --answers mine=mine.jsonl --mode single --provider openai --model gpt-4.1 --budget-usd 2 --out scores',
      'evaluate judge --reparse --out judged',
      'evaluate judge --import reviews.jsonl --json',
    ],
  ).argument(
    '[questions]',
    'Vicuna’s, MT-bench’s, AlpacaEval’s or ours: rows with turns, instruction, messages or prompt',
  );
  withTeacher(made, {
    flag: '--out <folder>',
    text: 'folder of rows.jsonl, summary.json and the ledger',
    ledger: 'ledger.sqlite in the folder',
  });
  // --import asks nobody and writes nothing.
  for (const option of made.options) if (option.long === '--out') option.makeOptionMandatory(false);
  return made
    .option('--answers <name=file...>', 'a model and its answers: Vicuna’s, FastChat’s, AlpacaEval’s or ours')
    .addOption(
      new Option(
        '--mode <mode>',
        'a score for each answer, which of two is better, or scores beside --baseline’s',
      ).choices(['single', 'pair', 'reference']),
    )
    .option('--baseline <name>', 'the model the others are compared with (default: each with each)')
    .option('--references <file>', 'reference answers, in a form of answers; shown for coding and mathematics')
    .option('--allow-missing', 'leave out turns that a model did not answer, and count them')
    .option('--samples <n>', 'verdicts on the same thing (default: 1)', positiveNumber)
    .option('--temperature <t>', 'of the judge (default: 0, or 1 with several samples)', realNumber)
    .option(
      '--max-tokens <n>',
      'longest verdict (default: 768); what is cut is asked for again, longer',
      positiveNumber,
    )
    .option('--judge-family <name>', 'judged models whose names begin so count as the judge’s own')
    .option('--seed <n>', 'of the intervals’ draws (default: 1)', wholeNumber)
    .option('--reparse', 'read the archived verdicts in the folder again; asks nobody')
    .option('--import <file>', 'verdicts given elsewhere: reviews of Vicuna or FastChat, AlpacaEval’s annotations')
    .action(judge);
}

async function judge(questions: string | undefined, flags: JudgeFlags): Promise<void> {
  const { import: imported, reparse: again, json } = flags;
  const out: string | undefined = flags.out;
  if (imported !== undefined) {
    checkAlone('--import', { questions, '--out': out, '--answers': flags.answers, '--reparse': again });
    const { judgeImported } = await import('./evaluate-judge-import.ts');
    return judgeImported(imported, { ...(json !== undefined && { json }) });
  }
  if (again) {
    checkAlone('--reparse', { questions, '--answers': flags.answers, '--mode': flags['mode'] });
    if (out === undefined)
      throw new ConfigError('--reparse: expected --out FOLDER, the folder of the archived verdicts');
    const { reparse } = await import('../../recipes/judge-reparse.ts');
    const { summary, changed } = reparse(out);
    await tell(summary, out, json);
    say(`${green('✓')} verdicts read again, nobody asked; changed: ${changed}`);
    return;
  }
  if (questions === undefined || out === undefined || flags.answers === undefined) {
    throw new ConfigError('evaluate judge: expected QUESTIONS, --answers NAME=FILE …, --mode and --out FOLDER', {
      hint: 'or --import FILE, for verdicts given elsewhere, or --reparse --out FOLDER, to read archived ones again',
    });
  }
  await ask(questions, flags);
}

async function ask(questions: string, flags: JudgeFlags): Promise<void> {
  const { answers = [], references, allowMissing, ...others } = flags;
  const { teacher, out, json, context, settings } = splitTeacherFlags(others);
  if (settings['mode'] === undefined) {
    throw new ConfigError('evaluate judge: expected --mode', {
      hint: 'single: a score for each answer; pair: which of two is better; reference: scores beside --baseline’s',
    });
  }
  const { parseConfig } = await import('../../src/run/config.ts');
  const { judgeSchema } = await import('../../recipes/judge-config.ts');
  const config = parseConfig(judgeSchema, { ...settings, teacher }, 'evaluate judge');
  const { readJudgeInput } = await import('../../recipes/judge-input.ts');
  const files = { questions, answers: answers.map(namedFile), references, allowMissing };
  const input = readJudgeInput(files, config);
  const { run } = await import('../../recipes/judge.ts');
  const { withRunContext } = await import('../run-context.ts');
  const summary = await withRunContext(context, (opened) => run(config, input, out, opened));
  await tell(summary, out, json);
}

async function tell(summary: JudgeSummary, out: string, json: boolean | undefined): Promise<void> {
  if (json) printJson(summary);
  else {
    const { judgeTables } = await import('./evaluate-judge-tables.ts');
    print(judgeTables(summary));
    say(`${green('✓')} ${out}: every verdict as it came in rows.jsonl, the figures in summary.json`);
  }
  const { failed } = summary.calls;
  if (failed > 0) say(`${failed} calls brought no answer: run the same command again to ask them again`);
}

function namedFile(text: string): { name: string; file: string } {
  const [, name, file] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || file === undefined)
    throw new ConfigError(`--answers: expected NAME=FILE, got ${JSON.stringify(text)}`);
  return { name, file };
}

function checkAlone(flag: string, others: Readonly<Record<string, unknown>>): void {
  const given = Object.keys(others).filter((name) => others[name] !== undefined);
  if (given.length > 0) throw new ConfigError(`${flag} asks nobody: expected it without ${given.join(', ')}`);
}
