/** understudy.yaml as settings: read, checked with every file it names, before anything is set up, loaded or asked. */
import { existsSync } from 'node:fs';
import { ConfigError } from '../src/base/errors.ts';
import { readQuestions, readSeeds } from '../src/data/formats.ts';
import { countTasks } from '../src/data/tasks.ts';
import { type ParseOptions, parseConfig, readSettings } from '../src/run/config.ts';
import { openTeacher, type TeacherConfig } from '../src/teacher/open-teacher.ts';
import { checkNewTokens } from '../src/text/add-tokens.ts';
import { checkGguf } from './gguf-teacher.ts';
import { checkLoop } from './loop-input.ts';
import { mapRewardModels } from './rl-input.ts';
import { type RunConfig, runSchema } from './run-config.ts';
import { sftAliases } from './sft-aliases.ts';
import { checkModel, checkSettings, checkTemplate, checkTrainable } from './sft-input.ts';

/** Paths in the file count from the working folder. Fine-tuning's settings may be called as other tools call them. */
export async function readRunConfig(
  file: string,
  overrides: { output?: string | undefined; budgetUsd?: number | undefined },
  options: Pick<ParseOptions, 'onMapped'> = {},
): Promise<RunConfig> {
  if (!existsSync(file)) {
    throw new ConfigError(`no such file: ${file}`, { hint: 'write one with: ./understudy init' });
  }
  const aliases = { sft: sftAliases };
  const config = parseConfig(runSchema, readSettings(file), file, { ...options, aliases, overrides });
  readSeeds(config.seeds);
  readQuestions(config.evaluate.questions);
  for (const given of [config.answer, config.translate]) if (given) await countTasks(given.instructions);
  if (!config.answer && !config.translate && !config.generate) {
    throw new ConfigError(`${file}: there is nothing to learn from: give answer, translate or generate`);
  }
  const { answer, translate, generate, evaluate, sft, loop } = config;
  checkTemplate(sft.template);
  checkNewTokens(sft.addTokens ?? []);
  checkSettings(sft);
  checkTrainable(sft.model);
  if (evaluate.scorer) checkModel(evaluate.scorer.model);
  if (loop) checkLoop(loop, config.seeds);
  const rewarding = loop?.rl.rewards.flatMap((reward) => (reward.kind === 'teacher' ? [reward.teacher] : [])) ?? [];
  const asked = [answer?.teacher, translate?.teacher, generate?.teacher, evaluate.judge, loop?.teacher, ...rewarding];
  const teachers = asked.filter((teacher) => teacher !== undefined);
  for (const teacher of teachers) await checkTeacher(teacher);
  return config;
}

/** Everything that can be known without asking: its files, its address, its key. */
async function checkTeacher(config: TeacherConfig): Promise<void> {
  if (config.provider === 'local') checkModel(config.model);
  else if (config.provider === 'gguf') checkGguf(config);
  else await openTeacher(config, () => Promise.reject(new Error('not a local teacher')));
}

/** The same settings with every model's name replaced, such as one on the hub by the folder it was fetched to. */
export async function mapModels(config: RunConfig, map: (model: string) => Promise<string>): Promise<RunConfig> {
  const ofTeacher = async <T extends TeacherConfig>(teacher: T): Promise<T> =>
    teacher.provider === 'local' ? { ...teacher, model: await map(teacher.model) } : teacher;
  const { answer, translate, generate, evaluate, sft, loop } = config;
  return {
    ...config,
    sft: { ...sft, model: await map(sft.model) },
    ...(answer && { answer: { ...answer, teacher: await ofTeacher(answer.teacher) } }),
    ...(translate && { translate: { ...translate, teacher: await ofTeacher(translate.teacher) } }),
    ...(generate && { generate: { ...generate, teacher: await ofTeacher(generate.teacher) } }),
    ...(loop && {
      loop: {
        ...loop,
        teacher: await ofTeacher(loop.teacher),
        rl: { ...loop.rl, rewards: await mapRewardModels(loop.rl.rewards, map) },
      },
    }),
    evaluate: {
      ...evaluate,
      ...(evaluate.judge && { judge: await ofTeacher(evaluate.judge) }),
      ...(evaluate.scorer && { scorer: { ...evaluate.scorer, model: await map(evaluate.scorer.model) } }),
    },
  };
}
