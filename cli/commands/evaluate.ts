import { ConfigError } from '../../src/base/errors.ts';
import { Command, command } from '../command.ts';
import { agreementCommand } from './evaluate-agreement.ts';
import { compareCommand } from './evaluate-compare.ts';
import { rougeCommand } from './evaluate-rouge.ts';

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
