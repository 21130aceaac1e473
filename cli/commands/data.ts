import { Option } from 'commander';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import { Command, command } from '../command.ts';
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
  return new Command('data').description('data files').addCommand(validate).addCommand(convert);
}
