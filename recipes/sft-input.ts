/** What can be found wrong with a fine-tuning before anything is set up or loaded: words only, no libtorch. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { embeddedModelFolder } from '../src/base/paths.ts';
import { readConversations } from '../src/data/formats.ts';
import { readModelConfig } from '../src/model/config.ts';
import { readHeader } from '../src/torch/safetensors.ts';
import type { SftConfig } from './sft-config.ts';

export function checkSftInput({ model, data }: SftConfig): void {
  for (const file of data) readConversations(file);
  if (model !== embeddedModelFolder) checkModelFolder(model);
}

/** Configuration and weights' header; the embedded model is set-up's to make. */
export function checkModelFolder(folder: string): void {
  readModelConfig(folder);
  const weights = join(folder, 'model.safetensors');
  if (existsSync(weights)) readHeader(weights);
}
