import { Option } from 'commander';
import { type Command, command } from '../command.ts';
import { writeConverted } from './data-convert.ts';
import { cardOption, outText, readForms, rejectsOption, type WrittenForm, writtenForms } from './data-options.ts';

interface MergeFlags {
  readonly to?: WrittenForm;
  readonly out: string;
  readonly rejects?: string;
  readonly card?: string;
  readonly json?: boolean;
}

export function mergeCommand(): Command {
  return command('merge', 'put data files of any forms into one, in order; copies stay, ids become unique', [
    'data merge alpaca.json sharegpt.jsonl.gz --out all.jsonl',
  ])
    .argument('<files...>', readForms)
    .addOption(
      new Option(
        '--to <form>',
        'form to write (default: messages; for comparisons preference, or ranked where the first file lists answers by rank)',
      ).choices(writtenForms),
    )
    .requiredOption('--out <file>', outText)
    .addOption(rejectsOption())
    .addOption(cardOption())
    .option('--json', 'print one JSON document')
    .action(async (files: readonly string[], flags: MergeFlags) => writeConverted(files, flags));
}
