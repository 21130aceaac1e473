import { ConfigError } from '../../src/base/errors.ts';
import { type Command, command, interruptible, positiveNumber, realNumber, wholeNumber } from '../command.ts';
import { green, printJson, say } from '../terminal.ts';
import { checkDistinct, outText, readForms, rejectsOption, sayCounts } from './data-options.ts';

interface SplitFlags {
  readonly out: string;
  readonly heldOut: string;
  readonly fraction?: number;
  readonly count?: number;
  readonly seed: number;
  readonly rejects?: string;
  readonly json?: boolean;
}

export function splitCommand(): Command {
  return command('split', 'hold rows out, drawn by what they say: rows added later move no others', [
    'data split data.jsonl --fraction 0.05 --out train.jsonl --held-out test.jsonl',
    'data split data.jsonl --count 500 --seed 2 --out train.jsonl --held-out test.jsonl',
  ])
    .argument('<file>', readForms)
    .requiredOption('--out <file>', `rows that stay: ${outText}`)
    .requiredOption('--held-out <file>', 'rows that are held out')
    .option('--fraction <share>', 'share of the rows to hold out, between 0 and 1', realNumber)
    .option('--count <n>', 'how many rows to hold out; copies of a row stay together', positiveNumber)
    .option('--seed <n>', 'other rows for another seed', wholeNumber, 0)
    .addOption(rejectsOption())
    .option('--json', 'print one JSON document')
    .action(splitFile);
}

async function splitFile(file: string, { json, fraction, count, ...config }: SplitFlags): Promise<void> {
  const { out, heldOut, rejects } = config;
  checkDistinct({ '--out': out, '--held-out': heldOut, '--rejects': rejects });
  const hold = heldOutShare(fraction, count);
  const { split } = await import('../../recipes/select-data.ts');
  const result = await interruptible((signal) => split({ ...config, file, hold }, signal));
  if (json) printJson({ ...result, files: { out, heldOut } });
  say(`${green('✓')} ${out}: ${result.kept} rows; ${heldOut}: ${result.heldOut} rows`);
  sayCounts('left out', result.rejected);
}

function heldOutShare(
  fraction: number | undefined,
  count: number | undefined,
): { fraction: number } | { count: number } {
  if (fraction === undefined && count !== undefined) return { count };
  if (fraction === undefined || count !== undefined) throw new ConfigError('expected one of --fraction and --count');
  if (fraction > 0 && fraction < 1) return { fraction };
  throw new ConfigError(`--fraction: expected a share between 0 and 1, got ${fraction}`);
}
