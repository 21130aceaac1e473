import { Option } from 'commander';
import type { ConvertResult } from '../../recipes/convert-data.ts';
import { type Command, command, interruptible } from '../command.ts';
import { green, printJson, say } from '../terminal.ts';
import {
  cardOption,
  checkDistinct,
  outText,
  readForms,
  rejectsOption,
  sayCounts,
  type WrittenForm,
  writtenForms,
} from './data-options.ts';

interface ConvertFlags {
  readonly to: WrittenForm;
  readonly out: string;
  readonly rejects?: string;
  readonly card?: string;
  readonly json?: boolean;
}

export function convertCommand(): Command {
  return command('convert', 'rewrite a data file in another of the forms', [
    'data convert my-data.jsonl --to alpaca --out data.json',
    'data convert comparisons.json --to preference --out pairs.jsonl.gz --rejects rejects.jsonl',
  ])
    .argument('<file>', readForms)
    .addOption(new Option('--to <form>', 'form to write').choices(writtenForms).makeOptionMandatory())
    .requiredOption('--out <file>', outText)
    .addOption(rejectsOption())
    .addOption(cardOption())
    .option('--json', 'print one JSON document')
    .action(async (file: string, flags: ConvertFlags) => writeConverted([file], flags));
}

export async function writeConverted(
  files: readonly string[],
  { json, ...config }: Omit<ConvertFlags, 'to'> & { readonly to?: WrittenForm },
): Promise<void> {
  const { out, rejects, card } = config;
  checkDistinct({ '--out': out, '--rejects': rejects, '--card': card });
  const { run } = await import('../../recipes/convert-data.ts');
  const result = await interruptible((signal) => run({ ...config, files }, signal));
  if (json) printJson(result);
  sayResult(result);
}

function sayResult({ out, form, rows, written, rejected, ties, renamedIds }: ConvertResult): void {
  say(`${green('✓')} ${out}: ${written} rows, ${form}${written === rows ? '' : `, of ${rows} read`}`);
  sayCounts('left out', rejected);
  if (ties > 0) say(`  left out: ${ties} pairs of answers of which none is the better`);
  if (renamedIds > 0) say(`  ${renamedIds} ids were taken already and got a number behind them`);
}
