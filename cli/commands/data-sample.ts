import { type Command, command, interruptible, positiveNumber, wholeNumber } from '../command.ts';
import { green, printJson, say } from '../terminal.ts';
import { checkDistinct, outText, readForms, rejectsOption, sayCounts } from './data-options.ts';

interface SampleFlags {
  readonly out: string;
  readonly count: number;
  readonly seed: number;
  readonly rejects?: string;
  readonly json?: boolean;
}

export function sampleCommand(): Command {
  return command('sample', 'take some rows of a data file, the same ones for a seed, in their order', [
    'data sample data.jsonl --count 1000 --seed 1 --out some.jsonl',
  ])
    .argument('<file>', readForms)
    .requiredOption('--count <n>', 'how many rows', positiveNumber)
    .requiredOption('--out <file>', outText)
    .option('--seed <n>', 'other rows for another seed', wholeNumber, 0)
    .addOption(rejectsOption())
    .option('--json', 'print one JSON document')
    .action(async (file: string, { json, ...config }: SampleFlags) => {
      checkDistinct({ '--out': config.out, '--rejects': config.rejects });
      const { sample } = await import('../../recipes/select-data.ts');
      const result = await interruptible((signal) => sample({ ...config, file }, signal));
      if (json) printJson({ ...result, out: config.out });
      say(`${green('✓')} ${config.out}: ${result.taken} of ${result.rows} rows`);
      sayCounts('left out', result.rejected);
    });
}
