import type { z } from 'zod';
import type { Engine } from '../../recipes/engine.ts';
import { fetchModel, withEngine } from '../command.ts';
import { printJson } from '../terminal.ts';
import { parseTrainingSettings } from './training-settings.ts';

export interface TrainingFlags {
  readonly config?: string;
  readonly threads?: number;
  readonly json?: boolean;
  /** The settings, some by a shorter name that the table of aliases has: out, lr, checkpointEvery. */
  readonly [flag: string]: unknown;
}

export interface TrainingSettings<Config> {
  /** As errors name it. */
  readonly command: string;
  readonly schema: z.ZodType<Config>;
  /** Throws what is wrong with settings or files, before anything is set up or loaded. */
  readonly check: (config: Config) => void;
}

/** From flags to the result of `train`, which gets the settings with the model's folder; --json prints it. */
export async function runTraining<Config extends { readonly model: string; readonly device: string }>(
  { command, schema, check }: TrainingSettings<Config>,
  { config: file, threads, json, ...flags }: TrainingFlags,
  train: (config: Config, engine: Engine, signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const config = await parseTrainingSettings(schema, { file, flags, command });
  check(config);
  const result = await withEngine({ threads, device: config.device }, async (engine, signal) => {
    const model = await fetchModel(config.model, signal);
    return train({ ...config, model }, engine, signal);
  });
  if (json) printJson(result);
}
