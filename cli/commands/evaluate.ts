import { ConfigError } from '../../src/base/errors.ts';
import { Command, command } from '../command.ts';
import { print, printJson } from '../terminal.ts';
import { agreementCommand } from './evaluate-agreement.ts';
import { compareCommand } from './evaluate-compare.ts';

export function evaluateCommand(): Command {
  return new Command('evaluate')
    .description('measure answers and models')
    .addCommand(rougeCommand())
    .addCommand(compareCommand())
    .addCommand(judgeCommand())
    .addCommand(agreementCommand());
}

function judgeCommand(): Command {
  return command('judge', 'what a judge’s verdicts come to, with their denominators and intervals', [
    'evaluate judge --import reviews.jsonl --json',
    'evaluate judge --import annotations.json',
  ])
    .option(
      '--import <file>',
      'verdicts given elsewhere: a review file of Vicuna or FastChat, or AlpacaEval’s annotations',
    )
    .option('--json', 'print one JSON document')
    .action(async ({ import: file, json }: { import?: string; json?: boolean }) => {
      if (file === undefined) {
        throw new ConfigError('evaluate judge: expected --import FILE; asking a judge is not there yet', {
          hint: 'for a judge on questions of yours: ./understudy run, with evaluate.judge in its settings',
        });
      }
      const { judgeImported } = await import('./evaluate-judge-import.ts');
      await judgeImported(file, { ...(json !== undefined && { json }) });
    });
}

function rougeCommand(): Command {
  return command('rouge', 'ROUGE-L of answers against references, by reference length', [
    'evaluate rouge --answers answers.jsonl --references references.jsonl --json',
  ])
    .requiredOption('--answers <file>', 'JSONL or JSON array; text in output, response, text or answer; id optional')
    .requiredOption('--references <file>', 'the same; matched by id where both have it, else by order')
    .option('--stemmer', 'Porter stemmer on words over three letters, as rouge_score has it')
    .option('--json', 'print one JSON document')
    .action(async ({ answers, references, stemmer, json }: RougeFlags) => {
      const { pairAnswers, readAnswers, rougeByLength } = await import('../../src/evaluate/rouge.ts');
      const pairs = pairAnswers(readAnswers(answers), readAnswers(references));
      const { all, buckets, cjk } = rougeByLength(pairs, { stemmer: stemmer ?? false });
      if (json) return printJson({ all, buckets, cjk });
      const line = (name: string, { n, rougeL }: { n: number; rougeL: number | null }) =>
        print(`${name.padEnd(24)} n ${String(n).padStart(6)}   ROUGE-L ${rougeL === null ? '–' : rougeL.toFixed(4)}`);
      line('all', all);
      for (const bucket of buckets) line(`reference ${bucket.bucket} words`, bucket);
      line('Chinese, by character', cjk);
    });
}

interface RougeFlags {
  readonly answers: string;
  readonly references: string;
  readonly stemmer?: boolean;
  readonly json?: boolean;
}
