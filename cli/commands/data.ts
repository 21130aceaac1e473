import { existsSync } from 'node:fs';
import { Option } from 'commander';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import { Command, command, modelFolder, positiveNumber } from '../command.ts';
import { green, printJson, say } from '../terminal.ts';

const forms = ['alpaca', 'messages'] as const;

export function dataCommand(): Command {
  const validate = command('validate', 'check every row of a data file; names each broken one', [
    'data validate my-data.json',
  ])
    .argument('<file>', 'Alpaca, ShareGPT or messages, JSON or JSONL, .gz too')
    .option('--json', 'print one JSON document')
    .action(async (file: string, { json }: { json?: boolean }) => {
      const { validateFile } = await import('../../src/data/formats.ts');
      const { format, rows, issues } = validateFile(file);
      if (json) printJson({ file, format, rows, issues });
      if (issues.length > 0) {
        throw new DataError(file, issues, {
          hint: `${issues.length} of ${rows} rows are broken; --json lists them all`,
        });
      }
      if (rows === 0) throw new ConfigError(`${file} has no rows`);
      say(`${green('✓')} ${file}: ${rows} rows, ${format}`);
    });
  const convert = command('convert', 'rewrite a data file in another of the forms', [
    'data convert my-data.jsonl --to alpaca --out data.json',
  ])
    .argument('<file>', 'Alpaca, ShareGPT or messages, JSON or JSONL, .gz too')
    .addOption(
      new Option('--to <form>', 'alpaca: a JSON array; messages: JSON Lines').choices(forms).makeOptionMandatory(),
    )
    .requiredOption('--out <file>', 'where to write it')
    .action(async (file: string, { to, out }: { to: (typeof forms)[number]; out: string }) => {
      const { readConversations, toAlpaca, toMessagesJsonl } = await import('../../src/data/formats.ts');
      const { writeFileAtomic } = await import('../../src/base/atomic.ts');
      const conversations = readConversations(file);
      writeFileAtomic(out, to === 'alpaca' ? toAlpaca(conversations) : toMessagesJsonl(conversations));
      say(`${green('✓')} ${out}: ${conversations.length} rows, ${to}`);
    });
  return new Command('data')
    .description('data files')
    .addCommand(validate)
    .addCommand(convert)
    .addCommand(previewCommand());
}

interface PreviewFlags {
  readonly model: string;
  readonly data: readonly string[];
  readonly template?: string;
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
  const { rows, kept, cut, dropped, tokens, labelTokens } = run({ ...rest, model: folder, maxTokens: limit }, out);
  say(
    `${green('✓')} ${out}: ${kept} of ${rows} rows kept (${cut.length} cut, ${dropped.length} dropped), ` +
      `${tokens} tokens, ${labelTokens} of them trained`,
  );
}
