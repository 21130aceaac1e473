/** PEFT folders as names of models: whether a folder is one, and which model it belongs to. Words only, no libtorch. */
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { ConfigError } from '../base/errors.ts';
import { readJson } from '../base/jsonl.ts';

export const adapterConfigFile = 'adapter_config.json';

export const isAdapterFolder = (folder: string): boolean => existsSync(join(folder, adapterConfigFile));

/** The folder of the model that the adapters belong to: as it is named there, or beside the adapters if both have moved. */
export function baseFolder(folder: string): string {
  const file = join(folder, adapterConfigFile);
  const { base_model_name_or_path: base } = readJson(file) as { base_model_name_or_path?: unknown };
  if (typeof base !== 'string' || base === '') {
    throw new ConfigError(`${file} does not say which model the adapters belong to`, {
      hint: 'write the folder of that model into base_model_name_or_path',
    });
  }
  const beside = dirname(folder);
  const places = [base, resolve(beside, base), join(beside, basename(base))];
  const found = places.find((place) => existsSync(join(place, 'config.json')));
  if (found !== undefined) return found;
  throw new ConfigError(`${folder} holds adapters for ${base}, and there is no such model folder`, {
    hint: `put the model there, or write its folder into base_model_name_or_path of ${file}`,
  });
}
