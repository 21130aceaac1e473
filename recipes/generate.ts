/**
 * Self-Instruct (Wang et al. 2022, arXiv 2212.10560): the teacher sees seed tasks and writes new ones; what is broken,
 * repeated or too near to what is there is taken out; the teacher answers the rest, shown answered seeds first where
 * it is small; broken answers are taken out. In the style `self-instruct`, the paper's own, tasks come without what they are
 * done on: which are classification is decided, then instances are made. Every call goes through the ledger, planned in row
 * order.
 */

import type { Seed } from '../src/data/formats.ts';
import { answerInstructions } from '../src/generate/answers.ts';
import { generateInstructions } from '../src/generate/instructions.ts';
import { askProgress } from './ask-progress.ts';
import type { RunContext } from './context.ts';
import type { GenerateConfig } from './generate-config.ts';
import { type MadeData, writeMadeData } from './made-data.ts';
import { assertMaySpend, plannedGeneration } from './quote.ts';
import { instancesOf } from './self-instruct.ts';
import { shownExamples } from './shown-examples.ts';

export async function run(
  config: GenerateConfig,
  seeds: readonly Seed[],
  folder: string,
  context: RunContext,
): Promise<MadeData> {
  const { ledger, budgetUsd, signal, progress } = context;
  const teacher = await context.teacher(config.teacher);
  assertMaySpend([{ teacher, calls: plannedGeneration(config, seeds, teacher) }], context);
  const ask = { teacher, ledger, budgetUsd, signal };
  const conversations = [];
  const rejects = [];
  for (const language of config.languages) {
    const writing = askProgress(progress(`new instructions, ${language}`));
    const plan = { ...config, seeds, language, maxTokens: config.instructionTokens };
    const made = await generateInstructions(plan, { ...ask, stage: 'instructions', ...writing.listen });
    writing.finish();

    if (config.style === 'self-instruct') {
      const instances = await instancesOf(made.instructions, config, language, ask, progress);
      conversations.push(...instances.conversations);
      rejects.push(...made.rejects, ...instances.rejects);
      continue;
    }
    const answering = askProgress(progress(`their answers, ${language}`));
    const examples = shownExamples(seeds, language, config.answerExamples, config.seed);
    const settings = { maxTokens: config.answerTokens, temperature: 0, examples };
    const asked = { ...ask, stage: 'answers', ...answering.listen };
    const answered = await answerInstructions(made.instructions, settings, asked);
    answering.finish();
    conversations.push(...answered.conversations);
    rejects.push(...made.rejects, ...answered.rejects);
  }
  const made = [...conversations.map((conversation) => ({ conversation })), ...rejects.map((reject) => ({ reject }))];
  return writeMadeData(folder, { name: 'generated', teacher: teacher.name }, made);
}
