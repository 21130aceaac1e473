import { Option } from 'commander';
import type { RougeMean } from '../../src/evaluate/rouge.ts';
import { type Command, command } from '../command.ts';
import { green, print, printJson, say } from '../terminal.ts';

interface RougeFlags {
  readonly answers: string;
  readonly references: string;
  readonly stemmer?: boolean;
  readonly chinese: 'characters' | 'words';
  readonly out?: string;
  readonly json?: boolean;
}

export function rougeCommand(): Command {
  return command('rouge', 'ROUGE-1, -2 and -L of answers against references, by reference length', [
    'evaluate rouge --answers answers.jsonl --references references.jsonl --json',
    'evaluate rouge --answers answers.jsonl --references references.jsonl --out rouge   # and then: report rouge',
  ])
    .requiredOption('--answers <file>', 'JSONL or JSON array; text in output, response, text or answer; id optional')
    .requiredOption('--references <file>', 'the same; matched by id where both have it, else by order')
    .option('--stemmer', 'Porter stemmer on words over three letters, as rouge_score has it')
    .addOption(
      new Option('--chinese <units>', 'what Chinese and Japanese texts are compared by')
        .choices(['characters', 'words'])
        .default('characters'),
    )
    .option(
      '--out <folder>',
      'folder of rows.jsonl, each pair with its figures, and of summary.json, which is --json’s',
    )
    .option('--json', 'print one JSON document')
    .action(async ({ answers, references, stemmer = false, chinese, out, json }: RougeFlags) => {
      const { pairAnswers, readAnswers } = await import('../../src/evaluate/answer-pairs.ts');
      const { rougeByLength } = await import('../../src/evaluate/rouge.ts');
      const pairs = pairAnswers(readAnswers(answers), readAnswers(references));
      const options = { stemmer, chinese };
      const { run } = await import('../../recipes/rouge.ts');
      const result = out === undefined ? rougeByLength(pairs, options) : await run(pairs, options, out);
      if (json) return printJson(result);
      print(`${'F, mean'.padEnd(24)} ${'n'.padStart(6)}   ROUGE-1  ROUGE-2  ROUGE-L  95 % interval`);
      printMean('all', result.all);
      for (const bucket of result.buckets) printMean(`reference ${bucket.bucket} words`, bucket);
      printMean(`Chinese, by ${chinese}`, result.cjk);
      if (out !== undefined) say(`${green('✓')} ${out}: the pairs in rows.jsonl, the figures in summary.json`);
    });
}

function printMean(name: string, { n, rouge1, rouge2, rougeL, intervals }: RougeMean): void {
  const figure = (value: number | null) => (value === null ? '–' : value.toFixed(4)).padEnd(7);
  const range = intervals.rougeL && `${intervals.rougeL.low.toFixed(4)} to ${intervals.rougeL.high.toFixed(4)}`;
  const cells = [rouge1, rouge2, rougeL].map(figure).join('  ');
  print(`${name.padEnd(24)} ${String(n).padStart(6)}   ${cells}  ${range ?? ''}`.trimEnd());
}
