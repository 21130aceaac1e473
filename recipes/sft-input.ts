/** What can be found wrong with a fine-tuning before anything is set up or loaded: words only, no libtorch. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../src/base/errors.ts';
import { nearestName } from '../src/base/nearest.ts';
import { embeddedModelFolder } from '../src/base/paths.ts';
import { readConversations } from '../src/data/formats.ts';
import { isHubName } from '../src/hub/names.ts';
import { baseFolder, isAdapterFolder } from '../src/model/adapter-folder.ts';
import { readModelConfig } from '../src/model/config.ts';
import { builtinTemplates } from '../src/text/chat-template.ts';
import { readHeader } from '../src/torch/safetensors.ts';
import type { SftConfig } from './sft-config.ts';

export function checkSftInput({ model, data, output, template }: SftConfig): void {
  checkTemplate(template);
  for (const file of data) readConversations(file);
  checkOutput(output);
  if (isAdapterFolder(model)) {
    throw new ConfigError(`${model} holds adapters, not a model to train`, {
      hint: 'merge them into one first: ./understudy model merge',
    });
  }
  checkModel(model);
}

/** The trained model goes into the folder itself: another model there, the one to train above all, would be lost. */
export function checkOutput(output: string): void {
  if (existsSync(join(output, 'config.json')) && !existsSync(join(output, 'train.jsonl'))) {
    throw new ConfigError(`${output} holds a model that was not trained here`, {
      hint: 'choose another output folder',
    });
  }
}

/** A built-in template or a file. */
export function checkTemplate(template: string | undefined): void {
  if (template === undefined || (builtinTemplates as readonly string[]).includes(template) || existsSync(template))
    return;
  const near = nearestName(template, builtinTemplates);
  throw new ConfigError(`no chat template ${template}: expected ${builtinTemplates.join(', ')} or a Jinja file`, {
    hint: near === undefined ? undefined : `did you mean ${near}?`,
  });
}

/** Configuration and weights' header; the embedded model is set-up's to make, one on the hub is yet to come. */
export function checkModel(model: string): void {
  if (model === 'builtin' || model === embeddedModelFolder || isHubName(model)) return;
  const folder = isAdapterFolder(model) ? baseFolder(model) : model;
  readModelConfig(folder);
  const weights = join(folder, 'model.safetensors');
  if (existsSync(weights)) readHeader(weights);
}
