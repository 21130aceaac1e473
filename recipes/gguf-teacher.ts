/** A GGUF file as a teacher: llama.cpp answers, in this process, not the engine's, for it needs no libtorch. */
import { ggufName, ggufParts } from '../src/local/gguf-file.ts';
import { ggufModel } from '../src/local/gguf-model.ts';
import { findNodeLlamaCpp } from '../src/local/llama-cpp.ts';
import { localTeacher } from '../src/local/local-teacher.ts';
import type { TeacherConfig } from '../src/teacher/open-teacher.ts';
import type { Teacher } from '../src/teacher/teacher.ts';
import { checkTemplate } from './sft-input.ts';

export type GgufConfig = Extract<TeacherConfig, { provider: 'gguf' }>;

/** What can be known before llama.cpp reads the file. */
export function checkGguf({ model, template }: GgufConfig): void {
  ggufParts(model);
  checkTemplate(template);
  findNodeLlamaCpp();
}

/** Nothing is loaded before the teacher is probed. */
export async function openGgufTeacher(config: GgufConfig, threads?: number): Promise<Teacher> {
  checkGguf(config);
  const { model: file, contextSize, concurrency, template } = config;
  const model = ggufModel(file, { contextSize, sequences: concurrency, threads, template });
  return localTeacher(await ggufName(file, template), model, {
    close: model.close,
    contextHint: 'give the teacher a larger contextSize; fewer at once (concurrency) make room for it',
  });
}
