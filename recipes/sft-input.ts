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
import { addTokens, checkNewTokens, readVocabularyFiles, type TokenAddition } from '../src/text/add-tokens.ts';
import { builtinTemplates } from '../src/text/chat-template.ts';
import { loadTokenizer } from '../src/text/tokenizer.ts';
import { readHeader } from '../src/torch/safetensors.ts';
import type { SftConfig } from './sft-config.ts';

export function checkSftInput({ model, data, output, template, addTokens: tokens = [] }: SftConfig): void {
  checkTemplate(template);
  checkNewTokens(tokens);
  for (const file of data) readConversations(file);
  checkOutput(output);
  checkTrainable(model);
}

/** Tokens to add, held against a model that is there: with adapters, none may be new to it. */
export function checkAddedTokens({
  model,
  addTokens: tokens = [],
  lora,
}: Pick<SftConfig, 'model' | 'addTokens' | 'lora'>) {
  if (lora && tokens.length > 0) refuseNewTokens(addTokens(readVocabularyFiles(model), loadTokenizer(model), tokens));
}

/** Adapters' folders hold no embeddings, and a token whose row nothing trains is never understood. */
export function refuseNewTokens({ added }: TokenAddition): void {
  if (added.length === 0) return;
  const names = added.map(({ content }) => content).join(', ');
  throw new ConfigError(`addTokens: ${names}: new to the model, and with lora its embeddings are frozen`, {
    hint: 'train all weights, or choose a template of tokens that the model has: alpaca needs none but the eos token',
  });
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

type Settings = Pick<
  SftConfig,
  'stepInBackward' | 'clip' | 'maxGradNorm' | 'onNonFinite' | 'evalShare' | 'evalEverySteps' | 'earlyStoppingPatience'
>;

/** Settings that contradict each other. */
export function checkSettings(settings: Settings): void {
  const { stepInBackward, clip, maxGradNorm, onNonFinite, evalShare } = settings;
  const refuse = (message: string, hint: string): never => {
    throw new ConfigError(message, { hint });
  };
  if (stepInBackward && clip === 'global' && maxGradNorm > 0) {
    refuse(
      'stepInBackward: the norm of all gradients is known only when all are there',
      'set clip: block, or maxGradNorm: 0 for no clipping',
    );
  }
  if (stepInBackward && onNonFinite === 'skip') {
    refuse(
      'stepInBackward: a batch cannot be skipped when some weights have been stepped by it',
      'leave onNonFinite: stop, which keeps the last checkpoint',
    );
  }
  for (const name of ['evalEverySteps', 'earlyStoppingPatience'] as const) {
    if (settings[name] !== undefined && evalShare === 0) {
      refuse(`${name}: no rows are held out to measure on`, 'set evalShare, for example to 0.05');
    }
  }
}

/** A model whose weights can be trained: adapters have none of their own. */
export function checkTrainable(model: string): void {
  if (isAdapterFolder(model)) {
    throw new ConfigError(`${model} holds adapters, not a model to train`, {
      hint: 'merge them into one first: ./understudy model merge',
    });
  }
  checkModel(model);
}

/** Configuration and weights' header; the embedded model is set-up's to make, one on the hub is yet to come. */
export function checkModel(model: string): void {
  if (model === 'builtin' || model === embeddedModelFolder || isHubName(model)) return;
  const folder = isAdapterFolder(model) ? baseFolder(model) : model;
  readModelConfig(folder);
  const weights = join(folder, 'model.safetensors');
  if (existsSync(weights)) readHeader(weights);
}
