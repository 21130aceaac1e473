/** Models that answer, as the command line and a file name them. */
import { parse, YAMLParseError } from 'yaml';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import { readText } from '../../src/base/jsonl.ts';

/** From NAME=MODEL; what is no setting of a teacher is told when the settings are checked. */
export function namedModel(text: string): { readonly name: string; readonly teacher: object } {
  const [, name, model] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || model === undefined)
    throw new ConfigError(`--models: expected NAME=MODEL, got ${JSON.stringify(text)}`, {
      hint: 'for example mine=my-student or gpt=openai:gpt-4.1-mini',
    });
  return { name, teacher: teacherOf(model) };
}

function teacherOf(model: string): object {
  const [, provider, rest = ''] = /^(openai|anthropic|openai-compatible|local|gguf):(.+)$/.exec(model) ?? [];
  if (provider === undefined) return { provider: model.endsWith('.gguf') ? 'gguf' : 'local', model };
  if (provider !== 'openai-compatible') return { provider, model: rest };
  const [, served, baseUrl] = /^(.+?)@(https?:\/\/.+)$/.exec(rest) ?? [];
  if (served === undefined)
    throw new ConfigError(`--models: expected openai-compatible:MODEL@URL, got ${model}`, {
      hint: 'for example openai-compatible:my-model@http://localhost:8000/v1',
    });
  return { provider, model: served, baseUrl };
}

/** A YAML list; what is in it is checked with the other settings. */
export function readAnswerers(file: string): unknown[] {
  let value: unknown;
  try {
    value = parse(readText(file));
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new DataError(file, { message: error.message.split('\n')[0] ?? '' });
  }
  if (Array.isArray(value)) return value;
  throw new DataError(file, { message: 'expected a list of models: - {name: …, teacher: {provider: …}, samples: 2}' });
}
