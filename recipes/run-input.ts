/** understudy.yaml as settings: read, checked with every file it names, before anything is set up, loaded or asked. */
import { existsSync } from 'node:fs';
import { parse, YAMLParseError } from 'yaml';
import { ConfigError, DataError } from '../src/base/errors.ts';
import { readText } from '../src/base/jsonl.ts';
import { readQuestions, readSeeds } from '../src/data/formats.ts';
import { parseConfig } from '../src/run/config.ts';
import { openTeacher, type TeacherConfig } from '../src/teacher/open-teacher.ts';
import { type RunConfig, runSchema } from './run-config.ts';
import { checkModelFolder, checkTemplate } from './sft-input.ts';

/** Paths in the file count from the working folder. */
export async function readRunConfig(
  file: string,
  overrides: { output?: string | undefined; budgetUsd?: number | undefined },
): Promise<RunConfig> {
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
  const { answer, generate, evaluate, sft } = config;
  checkTemplate(sft.template);
  for (const model of [sft.model, ...(evaluate.scorer ? [evaluate.scorer.model] : [])]) checkModel(model);
  const teachers = [answer?.teacher, generate?.teacher, evaluate.judge].filter((teacher) => teacher !== undefined);
  for (const teacher of teachers) await checkTeacher(teacher);
  return config;
}

function checkModel(model: string): void {
  if (model !== 'builtin') checkModelFolder(model);
}

/** Everything that can be known without asking: its files, its address, its key. */
async function checkTeacher(config: TeacherConfig): Promise<void> {
  if (config.provider === 'local') checkModel(config.model);
  else await openTeacher(config, () => Promise.reject(new Error('not a local teacher')));
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
