/** The teacher answers a given set of instructions (the paper's section 2: 52 thousand of Alpaca's, by GPT-4). */
import { alpacaPrompt } from '../src/data/formats.ts';
import { answerGiven, type GivenPrompt, type GivenSettings } from '../src/generate/answers.ts';
import type { TeacherConfig } from '../src/teacher/open-teacher.ts';
import { askProgress } from './ask-progress.ts';
import type { RunContext } from './context.ts';
import { type MadeData, writeMadeData } from './made-data.ts';

export interface GivenTask extends Omit<GivenPrompt, 'prompt'> {
  readonly instruction: string;
  readonly input: string;
}

export async function run(
  config: GivenSettings & { readonly teacher: TeacherConfig },
  tasks: () => Iterable<GivenTask> | AsyncIterable<GivenTask>,
  total: number,
  folder: string,
  context: RunContext,
): Promise<MadeData> {
  const { ledger, budgetUsd, signal, progress } = context;
  const teacher = await context.teacher(config.teacher);
  const answering = askProgress(progress('answers to given instructions'));
  async function* prompts(): AsyncGenerator<GivenPrompt> {
    for await (const { instruction, input, ...task } of tasks()) {
      yield { ...task, prompt: alpacaPrompt(instruction, input) };
    }
  }
  const ask = { teacher, ledger, stage: 'given', budgetUsd, signal, ...answering.listen };
  const answers = answerGiven(prompts, total, config, ask);
  const made = await writeMadeData(folder, { name: 'answered', teacher: teacher.name }, answers);
  answering.finish();
  return made;
}
