/** What the commands on data files have in common. */
import { resolve } from 'node:path';
import { Option } from 'commander';
import { ConfigError } from '../../src/base/errors.ts';
import { dim, say } from '../terminal.ts';

export const readForms =
  'Alpaca, ShareGPT, messages, OpenAI, TRL or GPT-4-LLM comparisons; JSON, JSONL or Parquet, .gz and .zst too';

/** As src/data/formats/write.ts has them: help must not load that. A test holds the two together. */
export const conversationForms = ['messages', 'openai', 'sharegpt', 'alpaca', 'prompt-completion'] as const;
export const preferenceForms = ['preference', 'ranked', 'comparison-v1', 'comparison-v2', 'comparison-pairs'] as const;
export const writtenForms = [...conversationForms, ...preferenceForms] as const;
export type WrittenForm = (typeof writtenForms)[number];

export const outText =
  'file to write; .json is an array, .jsonl lines, .parquet a table; .gz or .zst behind compresses';
export const rejectsOption = (): Option =>
  new Option('--rejects <file>', 'where rows that cannot be used go, with the reason (default: they stop the work)');
export const cardOption = (): Option => new Option('--card <file>', 'write a data set card for the Hugging Face hub');

/** Throws ConfigError where two of the files to write are one. */
export function checkDistinct(files: Readonly<Record<string, string | undefined>>): void {
  const flagOf = new Map<string, string>();
  for (const [flag, file] of Object.entries(files)) {
    if (file === undefined) continue;
    const other = flagOf.get(resolve(file));
    if (other !== undefined) throw new ConfigError(`${other} and ${flag} are the same file: ${file}`);
    flagOf.set(resolve(file), flag);
  }
}

/** One line for each count. */
export function sayCounts(title: string, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) say(dim(`  ${title}: ${name}: ${count}`));
}
