/** Models on this machine as teachers and scorers, named by their content: a changed model is another one. */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { sha256, sha256File } from '../src/base/hash.ts';
import { embeddedModelFolder } from '../src/base/paths.ts';
import { withoutSecrets } from '../src/base/redact.ts';
import type { Scorer } from '../src/evaluate/scorer.ts';
import { fetchedName } from '../src/hub/names.ts';
import { ggufName } from '../src/local/gguf-file.ts';
import { localScorer, localTeacher } from '../src/local/local-teacher.ts';
import { baseFolder, isAdapterFolder } from '../src/model/adapter-folder.ts';
import type { TeacherConfig } from '../src/teacher/open-teacher.ts';
import type { Teacher } from '../src/teacher/teacher.ts';
import { type Engine, engineModel } from './engine.ts';
import type { RewardSource } from './rl-config.ts';

export const folderOf = (model: string): string => (model === 'builtin' ? embeddedModelFolder : model);

/** Hash of everything in a model folder that decides its answers: weights, configuration, tokenizer, template. */
export async function modelContent(folder: string): Promise<string> {
  const names = readdirSync(folder).filter((name) => decisive.test(name) && name !== 'optimizer.safetensors');
  const own = await Promise.all(names.sort().map(async (name) => [name, await sha256File(join(folder, name))]));
  return sha256(isAdapterFolder(folder) ? [...own, ['base', await modelContent(baseFolder(folder))]] : own);
}

const decisive =
  /\.safetensors$|^pytorch_model.*\.bin$|^tokenizer\.model$|^merges\.txt$|^chat_template\.jinja$|^((generation_|adapter_)?config|tokenizer(_config)?|vocab|added_tokens|special_tokens_map)\.json$/;

/** `builtin`, a name on the hub, or the folder's own name, and its content: the same model elsewhere is the same. */
export async function modelName(model: string): Promise<string> {
  const folder = folderOf(model);
  const hub = fetchedName(folder);
  const name = model === 'builtin' ? 'builtin:smollm2-135m-instruct' : hub ? `hf:${hub}` : `local:${basename(folder)}`;
  return `${name}@${(await modelContent(folder)).slice(0, 12)}`;
}

/**
 * Who a teacher is: the settings that decide its answers, with the content of the files behind it, for recordings and
 * models change under their names. How it is asked and at what price is no part of it: a finished stage stays finished.
 */
export async function teacherIdentity(config: TeacherConfig): Promise<unknown> {
  if (config.provider === 'recorded') {
    return { provider: config.provider, files: await Promise.all(config.files.map((file) => sha256File(file))) };
  }
  if (config.provider === 'local') return { provider: 'local', model: await modelName(config.model) };
  if (config.provider === 'gguf') return { provider: 'gguf', model: await ggufName(config.model, config.template) };
  const decisive = Object.entries(config).filter(([name]) => !howAsked.has(name));
  return withoutSecrets(Object.fromEntries(decisive));
}

/** What answers are rewarded by, models and teachers by their content. */
export const rewardsIdentity = (rewards: readonly RewardSource[]): Promise<unknown[]> =>
  Promise.all(
    rewards.map(async (one) => {
      if (one.kind === 'model') return { ...one, model: await modelContent(one.model) };
      return one.kind === 'teacher' ? { ...one, teacher: await teacherIdentity(one.teacher) } : one;
    }),
  );

const howAsked: ReadonlySet<string> = new Set([
  'apiKeyEnv',
  'concurrency',
  'requestsPerMinute',
  'tokensPerMinute',
  'timeoutSeconds',
  'price',
  'prices',
  'batch',
] satisfies (keyof Extract<TeacherConfig, { provider: 'openai' }>)[]);

export async function openLocalTeacher(engine: Engine, model: string): Promise<Teacher> {
  return localTeacher(await modelName(model), engineModel(engine, { folder: folderOf(model), dtype: 'auto' }));
}

export async function openScorer(engine: Engine, model: string): Promise<Scorer> {
  return localScorer(await modelName(model), engineModel(engine, { folder: folderOf(model), dtype: 'auto' }));
}
