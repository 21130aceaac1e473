/** A GGUF file as a path and what identifies it. What is in it is llama.cpp's to read (llama-cpp.ts). */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { ConfigError, DataError } from '../base/errors.ts';
import { sha256, sha256File } from '../base/hash.ts';

/** Large models come in parts, which llama.cpp loads by the name of the first. */
const part = /-(\d{5})-of-(\d{5})\.gguf$/;

/** All files of the model that begins in `file`. Throws ConfigError where one is missing, DataError where one is no GGUF. */
export function ggufParts(file: string): string[] {
  const numbers = part.exec(file);
  if (numbers && Number(numbers[1]) !== 1)
    throw new ConfigError(`${file} is part ${Number(numbers[1])} of ${Number(numbers[2])}: give the first`);
  const parts = numbers
    ? Array.from({ length: Number(numbers[2]) }, (_, i) =>
        file.replace(part, `-${String(i + 1).padStart(5, '0')}-of-${numbers[2]}.gguf`),
      )
    : [file];
  for (const one of parts) checkMagic(one);
  return parts;
}

/**
 * `gguf:`, the file's name, and a hash of its content and of the template that goes in place of its own: the same file
 * elsewhere is the same, a changed one is another.
 */
export async function ggufName(file: string, template?: string): Promise<string> {
  const hashes: string[] = [];
  for (const one of ggufParts(file)) hashes.push(await sha256File(one));
  if (template !== undefined) hashes.push(existsSync(template) ? await sha256File(template) : template);
  const name = basename(file)
    .replace(part, '')
    .replace(/\.gguf$/, '');
  return `gguf:${name}@${(hashes.length === 1 ? (hashes[0] as string) : sha256(hashes)).slice(0, 12)}`;
}

function checkMagic(file: string): void {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile())
    throw new ConfigError(`no such file: ${file}`, { hint: 'give the path of a GGUF file' });
  const bytes = Buffer.alloc(4);
  const handle = openSync(file, 'r');
  try {
    readSync(handle, bytes);
  } finally {
    closeSync(handle);
  }
  const magic = bytes.toString('latin1');
  if (magic !== 'GGUF')
    throw new DataError(file, {
      message: `expected a GGUF file (it begins with "GGUF"), got ${JSON.stringify(magic)}`,
    });
}
