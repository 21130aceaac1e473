import { type Command, command, interruptible, realNumber } from '../command.ts';
import { print, printJson, progressBar } from '../terminal.ts';

interface DedupeFlags {
  readonly input: readonly string[];
  readonly out: string;
  readonly exact?: boolean;
  readonly novelty?: string;
  readonly near?: number;
  readonly json?: boolean;
}

export function dedupeCommand(): Command {
  return command('dedupe', 'take duplicates out of data files; of each set the first row stays', [
    'data dedupe --input alpaca.json.gz --novelty 0.7 --out novel.json.gz',
    'data dedupe --input a.jsonl b.jsonl --exact --near 0.8 --out kept.jsonl',
  ])
    .requiredOption('--input <files...>', 'files of one form, JSON or JSONL, compressed or not')
    .requiredOption('--out <file>', 'written in the form of the input; OUT.rejects.jsonl says what went and why')
    .option('--exact', 'drop rows that say the same as an earlier one in every member but id and provenance')
    .option('--novelty <f>', 'drop instructions with a ROUGE-L F above this to one that stays; Alpaca: 0.7')
    .option(
      '--near <similarity>',
      'drop rows whose shingles are this similar to those of one that stays: 0.8',
      realNumber,
    )
    .option('--json', 'print one JSON document')
    .action(dedupe);
}

async function dedupe({ input, out, exact = false, novelty, near, json }: DedupeFlags): Promise<void> {
  const { run } = await import('../../recipes/dedupe.ts');
  const { parseThreshold } = await import('../../src/data/novelty.ts');
  const config = {
    inputs: input,
    out,
    exact,
    near,
    novelty: novelty === undefined ? undefined : parseThreshold(novelty),
  };
  const result = await interruptible((signal) => run(config, { signal, progress: progressBar }));
  const { asked, kept, dropped, filters, rejects } = result;
  if (json) printJson({ asked, kept, dropped });
  else {
    const rows = [
      ['filter', 'asked', 'dropped'],
      ...filters.map(({ reason, ...counts }) => [reason, `${counts.asked}`, `${counts.dropped}`]),
      ['all', `${asked}`, `${dropped}`],
    ];
    for (const [name = '', ...counts] of rows)
      print(name.padEnd(16) + counts.map((count) => count.padStart(10)).join(''));
    print(`${kept} rows kept: ${out}; what went: ${rejects}`);
  }
}
