import type { z } from 'zod';
import { modelFolder } from '../command.ts';
import { say } from '../terminal.ts';

/** The file's settings under the flags. Paths in the file count from the working folder. */
export async function parseTrainingSettings<Schema extends z.ZodType<{ model: string }>>(
  schema: Schema,
  given: { file: string | undefined; flags: Readonly<Record<string, unknown>>; command: string },
): Promise<z.output<Schema>> {
  const { parseConfig, readSettings } = await import('../../src/run/config.ts');
  const { mappedText } = await import('../../src/run/aliases.ts');
  const { sftAliases } = await import('../../recipes/sft-aliases.ts');
  const { file, flags } = given;
  const where = file === undefined ? given.command : `${given.command} with ${file}`;
  const config = parseConfig(schema, file === undefined ? {} : readSettings(file), where, {
    aliases: { '': sftAliases },
    overrides: flags,
    onMapped: (mapped) => say(mappedText(mapped)),
  });
  return { ...config, model: modelFolder(config.model) };
}
