/** A tokenizer for tests, small enough to see through: ids 0–255 are the bytes themselves, then added tokens. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '../../src/text/tokenizer.ts';

/** GPT-2's spelling of bytes as characters: printable ones as they are, the rest from U+0100 on. */
function byteSpelling(): string[] {
  const printable = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte < 256 && byte !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

export interface Added {
  readonly content: string;
  readonly special?: boolean;
  readonly rstrip?: boolean;
}

export const turnTokens: readonly Added[] = [
  { content: '<|im_start|>' },
  { content: '<|im_end|>' },
  { content: '</s>' },
];

export function byteTokenizerJson(added: readonly Added[] = turnTokens): Record<string, unknown> {
  return {
    version: '1.0',
    added_tokens: added.map(({ content, special = true, rstrip = false }, i) => ({
      id: 256 + i,
      content,
      single_word: false,
      lstrip: false,
      rstrip,
      normalized: false,
      special,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(byteSpelling().map((character, byte) => [character, byte])),
      merges: [],
    },
  };
}

export const byteTokenizer = (config: Record<string, unknown> = {}, added?: readonly Added[]): Tokenizer =>
  new Tokenizer(byteTokenizerJson(added), { eos_token: '</s>', ...config });

/** Writes a folder as a model's: values as JSON, texts as they are. */
export function writeFolder(folder: string, files: Readonly<Record<string, unknown>>): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  return folder;
}

export const bytes = (text: string): number[] => [...Buffer.from(text)];
