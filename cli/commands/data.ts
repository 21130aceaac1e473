import { existsSync } from 'node:fs';
import { ConfigError } from '../../src/base/errors.ts';
import { Command, command, modelFolder, positiveNumber } from '../command.ts';
import { green, say } from '../terminal.ts';
import { convertCommand } from './data-convert.ts';
import { dedupeCommand } from './data-dedupe.ts';
import { importCommand } from './data-import.ts';
import { lintCommand } from './data-lint.ts';
import { mergeCommand } from './data-merge.ts';
import { sampleCommand } from './data-sample.ts';
import { scoreCommand } from './data-score.ts';
import { splitCommand } from './data-split.ts';
import { statsCommand } from './data-stats.ts';
import { validateCommand } from './data-validate.ts';
import { addTokensOption } from './train.ts';

export function dataCommand(): Command {
  return new Command('data')
    .description('data files')
    .addCommand(validateCommand())
    .addCommand(convertCommand())
    .addCommand(importCommand())
    .addCommand(mergeCommand())
    .addCommand(splitCommand())
    .addCommand(sampleCommand())
    .addCommand(dedupeCommand())
    .addCommand(lintCommand())
    .addCommand(scoreCommand())
    .addCommand(statsCommand())
    .addCommand(previewCommand());
}

interface PreviewFlags {
  readonly model: string;
  readonly data: readonly string[];
  readonly template?: string;
  readonly addTokens?: readonly string[];
  readonly maxTokens?: number;
  readonly rows: number;
  readonly out: string;
}

function previewCommand(): Command {
  return command('preview', 'what fine-tuning would learn, token by token, as a page; needs no libtorch', [
    'data preview --model builtin --data my-data.json --out preview.html',
    'data preview --model base-model --template alpaca --data alpaca.json --rows 50 --out preview.html',
  ])
    .requiredOption('--model <folder>', 'model whose tokenizer and chat template are used, or builtin')
    .requiredOption('--data <files...>', 'Alpaca, ShareGPT or messages files')
    .requiredOption('--out <file>', 'page to write')
    .option('--rows <n>', 'conversations to show; all are counted', positiveNumber, 20)
    .option('--template <name>', 'chat template: alpaca, chatml or a Jinja file (default: the model’s own)')
    .addOption(addTokensOption())
    .option('--max-tokens <n>', 'longest conversation (default: as in train sft)', positiveNumber)
    .action(preview);
}

async function preview({ model, out, maxTokens, ...rest }: PreviewFlags): Promise<void> {
  const folder = modelFolder(model);
  if (model === 'builtin' && !existsSync(folder)) {
    throw new ConfigError('the embedded model is not set up yet', { hint: 'make it with: npm run setup' });
  }
  const { run } = await import('../../recipes/preview.ts');
  const { sftSchema } = await import('../../recipes/sft-config.ts');
  const limit = maxTokens ?? sftSchema.shape.maxTokens.parse(undefined);
  const { rows, kept, cut, dropped, tokens, labelTokens } = run({ ...rest, model: folder, maxTokens: limit }, out, say);
  say(
    `${green('✓')} ${out}: ${kept} of ${rows} rows kept (${cut.length} cut, ${dropped.length} dropped), ` +
      `${tokens} tokens, ${labelTokens} of them trained`,
  );
}
