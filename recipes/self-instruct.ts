/**
 * Self-Instruct as in its paper (Wang et al. 2022, arXiv 2212.10560, section 2.2), from the new tasks on: which of them are
 * classification, then instances, input first or label first. What writes the tasks stands in generate.ts.
 */
import type { Seed } from '../src/data/formats.ts';
import type { Language } from '../src/data/lints/language.ts';
import type { Conversation } from '../src/data/records.ts';
import { type ClassifiedTask, classifyTasks, planClassification } from '../src/generate/classification.ts';
import { type InstanceSettings, makeInstances, planInstances } from '../src/generate/instances.ts';
import { type GeneratedInstruction, planInstructionRequests, type Reject } from '../src/generate/instructions.ts';
import type { StartProgress } from '../src/run/progress.ts';
import type { CallerOptions } from '../src/teacher/caller.ts';
import { costUsd, upperBoundUsd } from '../src/teacher/prices.ts';
import type { Teacher, TeacherRequest } from '../src/teacher/teacher.ts';
import { askProgress } from './ask-progress.ts';
import type { GenerateConfig } from './generate-config.ts';
import type { PlannedCalls } from './quote.ts';

/** Told apart in one call. */
const tasksPerCall = 10;
/** More than a label has. */
const labelTokens = 64;

export async function instancesOf(
  instructions: readonly GeneratedInstruction[],
  config: GenerateConfig,
  language: Language,
  ask: Omit<CallerOptions, 'stage'>,
  progress: StartProgress,
): Promise<{ conversations: Conversation[]; rejects: Reject<string>[] }> {
  // 1. Which tasks are classification, and their labels.
  const rejects: Reject<string>[] = [];
  let tasks: readonly ClassifiedTask[];
  if (config.classification === false) tasks = instructions.map(asFree);
  else {
    const telling = askProgress(progress(`which are classification, ${language}`));
    const asked = { ...ask, stage: 'classification', ...telling.listen };
    const classified = await classifyTasks(instructions, { language, tasksPerCall }, asked);
    telling.finish();
    tasks = classified.tasks;
    rejects.push(...classified.rejects);
  }

  // 2. What they are done on, and what comes of it.
  const making = askProgress(progress(`instances, ${language}`));
  const asked = { ...ask, stage: 'instances', ...making.listen };
  const made = await makeInstances(tasks, instanceSettings(config, language), asked);
  making.finish();
  return { conversations: made.conversations, rejects: [...rejects, ...made.rejects] };
}

const asFree = (instruction: GeneratedInstruction): ClassifiedTask => {
  return { instruction, labels: undefined, calls: [instruction.call] };
};

const instanceSettings = (config: GenerateConfig, language: Language): InstanceSettings => {
  const { instances = 1, answerTokens: maxTokens, temperature, topP, seed } = config;
  return { language, instances, maxTokens, temperature, topP, seed };
};

/** As quote.ts plans: texts that are not written yet at their longest, and no instruction filtered away. */
export function plannedSelfInstruct(config: GenerateConfig, seeds: readonly Seed[], teacher: Teacher): PlannedCalls[] {
  const { model } = teacher;
  const { count, instructionTokens } = config;
  return config.languages.flatMap((language) => {
    const plan = { ...config, seeds, language, model, maxTokens: instructionTokens };
    const instructions = planned(teacher, planInstructionRequests(plan), 0);
    const unwritten = Array.from({ length: count }, () => asFree({ id: '', text: '', language, call: '' }));
    const kinds = planClassification(
      unwritten.map(({ instruction }) => instruction),
      { language, tasksPerCall, model },
    );
    const settings = { ...instanceSettings(config, language), model };
    // Whichever prompt is the longer.
    const instances = [undefined, ['', '']].map((labels) => {
      const requests = planInstances(
        unwritten.map((task) => ({ ...task, labels })),
        settings,
      );
      return planned(
        teacher,
        requests.map(({ request }) => request),
        instructionTokens + labelTokens,
      );
    });
    const dearest = instances.reduce((a, b) => ((b.boundUsd ?? 0) > (a.boundUsd ?? 0) ? b : a));
    const told = config.classification === false ? [] : [planned(teacher, kinds, tasksPerCall * instructionTokens)];
    return [instructions, ...told, dearest];
  });
}

function planned({ price }: Teacher, requests: readonly TeacherRequest[], unknownTokens: number): PlannedCalls {
  const calls = requests.length;
  if (!price) return { calls, boundUsd: undefined };
  const unknown = costUsd(price, { inputTokens: unknownTokens, outputTokens: 0 });
  return { calls, boundUsd: requests.reduce((sum, request) => sum + upperBoundUsd(price, request) + unknown, 0) };
}
