/** The teacher answers a given set of instructions (the paper's section 2: 52 thousand of Alpaca's, by GPT-4). */
import { alpacaPrompt, type Seed } from '../src/data/formats.ts';
import { answerGiven } from '../src/generate/answers.ts';
import type { TeacherConfig } from '../src/teacher/open-teacher.ts';
import { askProgress } from './ask-progress.ts';
import type { RunContext } from './context.ts';
import { type MadeData, writeMadeData } from './made-data.ts';

export async function run(
  config: { readonly teacher: TeacherConfig; readonly maxTokens: number },
  tasks: readonly Seed[],
  folder: string,
  context: RunContext,
): Promise<MadeData> {
  const { ledger, budgetUsd, signal, progress } = context;
  const teacher = await context.teacher(config.teacher);
  const answering = askProgress(progress('answers to given instructions'));
  const prompts = tasks.map(({ instruction, input, ...task }) => ({
    ...task,
    prompt: alpacaPrompt(instruction, input),
  }));
  const ask = {
    teacher,
    ledger,
    stage: 'given',
    budgetUsd,
    signal,
    onProgress: answering.update,
    onRetry: answering.retry,
  };
  const { conversations, rejects } = await answerGiven(prompts, config, ask);
  answering.finish();
  return writeMadeData(folder, { name: 'answered', teacher: teacher.name, conversations, rejects });
}
