/** understudy.yaml as settings: read, checked with every file it names, before anything is set up, loaded or asked. */
import { existsSync } from 'node:fs';
import { parse, YAMLParseError } from 'yaml';
import { ConfigError, DataError } from '../src/base/errors.ts';
import { readText } from '../src/base/jsonl.ts';
import { readQuestions, readSeeds } from '../src/data/formats.ts';
import { parseConfig } from '../src/run/config.ts';
import { type RunConfig, runSchema } from './run-config.ts';
import { checkModelFolder } from './sft-input.ts';

/** Paths in the file count from the working folder. */
export function readRunConfig(
  file: string,
  overrides: { output?: string | undefined; budgetUsd?: number | undefined },
): RunConfig {
  if (!existsSync(file)) {
    throw new ConfigError(`no such file: ${file}`, { hint: 'write one with: ./understudy init' });
  }
  const given = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  const config = parseConfig(runSchema, { ...readYaml(file), ...given }, file);
  readSeeds(config.seeds);
  readQuestions(config.evaluate.questions);
  if (config.answer) readSeeds(config.answer.instructions);
  if (!config.answer && !config.generate) {
    throw new ConfigError(`${file}: there is nothing to learn from: give answer, generate, or both`);
  }
  if (config.sft.model !== 'builtin') checkModelFolder(config.sft.model);
  return config;
}

function readYaml(file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parse(readText(file));
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    const row = error.linePos?.[0].line;
    throw new DataError(file, { ...(row !== undefined && { row }), message: error.message.split('\n')[0] ?? '' });
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new DataError(file, { message: 'expected settings as key: value lines' });
  }
  return value as Record<string, unknown>;
}
