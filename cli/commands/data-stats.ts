import { Option } from 'commander';
import type { Comparison } from '../../src/data/statistics-compare.ts';
import type { SetStatistics } from '../../src/data/statistics-set.ts';
import { type Command, command, fetchModel, interruptible, modelFolder } from '../command.ts';
import { dim, green, print, printJson, progressBar, say } from '../terminal.ts';
import { readForms } from './data-options.ts';

interface StatsFlags {
  readonly model?: string;
  readonly lang: 'auto' | 'en' | 'zh';
  readonly verbNouns: 'instructions' | 'answers' | 'both' | 'none';
  readonly out?: string;
  readonly json?: boolean;
}

export function statsCommand(): Command {
  return command('stats', 'a data file in numbers, or two side by side: lengths, languages, tokens, verbs and nouns', [
    'data stats alpaca.json.gz --json',
    'data stats text-davinci.json gpt4.json --verb-nouns both --out compared.html',
    'data stats data.jsonl --model builtin',
  ])
    .argument('<file>', readForms)
    .argument('[file2]', 'a second one, to compare')
    .option('--model <folder>', 'model whose tokenizer counts tokens, or builtin')
    .addOption(
      new Option('--lang <code>', 'language of all rows; auto goes by what each row says, or by its letters')
        .choices(['auto', 'en', 'zh'])
        .default('auto'),
    )
    .addOption(
      new Option('--verb-nouns <texts>', 'where root verbs and their noun objects are counted')
        .choices(['instructions', 'answers', 'both', 'none'])
        .default('instructions'),
    )
    .option('--out <file>', 'page to write, with charts')
    .option('--json', 'print one JSON document')
    .action(stats);
}

const texts = {
  instructions: ['instructions'],
  answers: ['answers'],
  both: ['instructions', 'answers'],
  none: [],
} as const;

async function stats(file: string, file2: string | undefined, flags: StatsFlags): Promise<void> {
  const { model, lang, verbNouns, out, json } = flags;
  const folder = model === undefined ? undefined : modelFolder(model);
  const { run } = await import('../../recipes/data-stats.ts');
  const files = file2 === undefined ? [file] : [file, file2];
  const { sets, comparison, rows } = await interruptible(async (signal) => {
    const config = { files, language: lang === 'auto' ? undefined : lang, verbNouns: texts[verbNouns], out };
    const local = folder === undefined ? undefined : await fetchModel(folder, signal);
    return await run({ ...config, model: local }, { signal, progress: progressBar });
  });
  const [a] = sets;
  if (json) printJson(comparison ? { files, ...comparison } : { file, ...a });
  else printRows(comparison ? [['', 'a', 'b', 'b − a'], ...rows] : rows);
  if (out !== undefined) say(`${green('✓')} ${out}`);
  if (json) return;
  if (comparison) printPairs(comparison.pairs);
  else if (a) printVerbs(a.verbNouns);
}

function printRows(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  for (const [name = '', ...values] of rows) {
    const cells = values.map((value, i) => value.padStart((widths[i + 1] ?? 0) + 2));
    print(name.padEnd(widths[0] ?? 0) + cells.join(''));
  }
}

/** The most frequent root verbs, each with its most frequent noun objects. */
function printVerbs(verbNouns: SetStatistics['verbNouns']): void {
  for (const [kind, languages] of Object.entries(verbNouns)) {
    for (const [language, { top }] of Object.entries(languages)) {
      if (top.length > 0) print(dim(`\nroot verbs of ${kind} (${language}) and their noun objects`));
      for (const { verb, count, nouns } of top) {
        const objects = nouns.map((one) => `${one.noun} ${one.count}`).join(', ');
        print(`${verb.padEnd(14)}${String(count).padStart(7)}  ${objects}`);
      }
    }
  }
}

function printPairs(pairs: Comparison['pairs']): void {
  for (const [kind, languages] of Object.entries(pairs)) {
    for (const [language, { inBoth, onlyA, onlyB, top }] of Object.entries(languages)) {
      const counts = `${inBoth} in both, ${onlyA} in a alone, ${onlyB} in b alone`;
      print(dim(`\npairs of verb and noun in ${kind} (${language}): ${counts}`));
      printRows([['', 'a', 'b'], ...top.map(({ verb, noun, a, b }) => [`${verb} ${noun}`, `${a}`, `${b}`])]);
    }
  }
}
