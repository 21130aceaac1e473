import { existsSync } from 'node:fs';
import { InvalidArgumentError, Option } from 'commander';
import type { ImportConfig, ImportResult } from '../../recipes/import.ts';
import { ConfigError } from '../../src/base/errors.ts';
import { type Command, command, fetchModel, interruptible, modelFolder, positiveNumber } from '../command.ts';
import { green, printJson, say } from '../terminal.ts';
import { cardOption, checkDistinct, conversationForms, outText, sayCounts } from './data-options.ts';

interface ImportFlags {
  readonly out: string;
  readonly to: (typeof conversationForms)[number];
  readonly rejects?: string;
  readonly keepLang?: readonly string[];
  readonly skipLang?: readonly string[];
  readonly html: ImportConfig['html'];
  readonly maxTokens?: number;
  readonly model?: string;
  readonly template?: string;
  readonly card?: string;
  readonly json?: boolean;
}

export function importCommand(): Command {
  return command(
    'import',
    'make collected conversations (ShareGPT dumps) training data: HTML, roles, languages, length',
    [
      'data import sharegpt.json --out data.jsonl --keep-lang en,zh',
      'data import dump.jsonl.gz --out data.jsonl --max-tokens 2048 --model builtin',
    ],
  )
    .argument('<files...>', 'ShareGPT or messages as they were collected; JSON, JSONL or Parquet, .gz and .zst too')
    .requiredOption('--out <file>', outText)
    .addOption(new Option('--to <form>', 'form to write').choices(conversationForms).default('messages'))
    .option('--rejects <file>', 'where what cannot be used goes, with the reason (default: beside --out)')
    .option('--keep-lang <codes>', 'languages to keep, such as en,zh; others are refused', languageCodes)
    .option('--skip-lang <codes>', 'languages to refuse', languageCodes)
    .addOption(
      new Option('--html <when>', 'make answers in HTML Markdown; auto looks whether they are')
        .choices(['auto', 'always', 'never'])
        .default('auto'),
    )
    .option(
      '--max-tokens <n>',
      'cut conversations where a question begins, to parts of at most so many',
      positiveNumber,
    )
    .option('--model <folder>', 'model whose tokenizer and chat template count the tokens, or builtin')
    .option('--template <name>', 'chat template: alpaca, chatml or a Jinja file (default: the model’s own)')
    .addOption(cardOption())
    .option('--json', 'print one JSON document')
    .action(importFiles);
}

function languageCodes(text: string): string[] {
  const codes = text.split(',').map((code) => code.trim().toLowerCase());
  if (codes.includes('')) throw new InvalidArgumentError(`expected codes with commas between them, got "${text}"`);
  return codes;
}

async function importFiles(files: readonly string[], flags: ImportFlags): Promise<void> {
  const { json, keepLang, skipLang, maxTokens, model, template, rejects = besides(flags.out), ...config } = flags;
  checkDistinct({ '--out': config.out, '--rejects': rejects, '--card': config.card });
  if ((maxTokens === undefined) !== (model === undefined)) {
    throw new ConfigError('expected --max-tokens and --model together', {
      hint: 'tokens are counted with a model’s tokenizer and chat template',
    });
  }
  const { run } = await import('../../recipes/import.ts');
  const result = await interruptible(async (signal) => {
    const limit =
      maxTokens !== undefined && model !== undefined
        ? { maxTokens, template, model: await tokenizerFolder(model, signal) }
        : undefined;
    const languages = { keepLanguages: keepLang, skipLanguages: skipLang };
    return await run({ ...config, ...languages, files, rejects, limit }, signal);
  });
  if (json) printJson(result);
  sayResult(result);
}

async function tokenizerFolder(model: string, signal: AbortSignal): Promise<string> {
  const folder = await fetchModel(modelFolder(model), signal);
  if (existsSync(folder)) return folder;
  throw new ConfigError('the embedded model is not set up yet', { hint: 'make it with: npm run setup' });
}

/** `data.jsonl` → `data.rejects.jsonl`. */
const besides = (out: string): string =>
  `${out.replace(/(\.(json|jsonl|ndjson|parquet))?(\.(gz|zstd?))?$/i, '')}.rejects.jsonl`;

function sayResult({ out, rows, kept, written, cut, rejected, mended, rejects, renamedIds }: ImportResult): void {
  say(`${green('✓')} ${out}: ${written} conversations of ${kept} of ${rows} rows (${cut} cut into parts)`);
  sayCounts('mended', mended);
  sayCounts('refused', rejected);
  if (renamedIds > 0) say(`  ${renamedIds} ids were taken already and got a number behind them`);
  say(`  what was refused, with the reason: ${rejects}`);
}
