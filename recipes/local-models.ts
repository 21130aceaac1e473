/** Model folders as teachers and scorers on the engine, named by their content: a changed model is another one. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { sha256, sha256File } from '../src/base/hash.ts';
import { embeddedModelFolder } from '../src/base/paths.ts';
import type { Scorer } from '../src/evaluate/scorer.ts';
import { localScorer, localTeacher } from '../src/local/local-teacher.ts';
import type { Teacher } from '../src/teacher/teacher.ts';
import { type Engine, engineModel } from './engine.ts';

export const folderOf = (model: string): string => (model === 'builtin' ? embeddedModelFolder : model);

/** `builtin` or the folder's name, and a hash of everything that decides its answers. */
export async function modelName(model: string): Promise<string> {
  const folder = folderOf(model);
  const files = [
    'config.json',
    'model.safetensors',
    'model.safetensors.index.json',
    'tokenizer.json',
    'chat_template.jinja',
  ];
  const present = files.map((file) => join(folder, file)).filter((file) => existsSync(file));
  const content = sha256(await Promise.all(present.map((file) => sha256File(file))));
  return `${model === 'builtin' ? 'builtin:smollm2-135m-instruct' : `local:${folder.split('/').slice(-2).join('/')}`}@${content.slice(0, 12)}`;
}

export async function openLocalTeacher(engine: Engine, model: string): Promise<Teacher> {
  return localTeacher(await modelName(model), engineModel(engine, { folder: folderOf(model), dtype: 'auto' }));
}

export async function openScorer(engine: Engine, model: string): Promise<Scorer> {
  return localScorer(await modelName(model), engineModel(engine, { folder: folderOf(model), dtype: 'auto' }));
}
