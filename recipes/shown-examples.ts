/** Answered seeds as earlier turns of a conversation: what a very small teacher takes its manner from. */
import type { Message } from '../src/base/message.ts';
import { Rng } from '../src/base/rng.ts';
import { alpacaPrompt, type Seed } from '../src/data/formats.ts';

const shortestOutput = 20;
const longestOutput = 300;
const longestPrompt = 160;

/** The same for every row of a language. Labels, refusals and code would set a manner that few tasks want. */
export function shownExamples(seeds: readonly Seed[], language: string, count: number, seed = 1): Message[] {
  const fitting = seeds.filter(({ classification, category, instruction, input, output, ...one }) => {
    const plain = !classification && category !== 'refusal' && category !== 'code';
    const short = instruction.length + input.length < longestPrompt && output.length < longestOutput;
    return one.language === language && plain && short && output.length > shortestOutput;
  });
  return new Rng('shown examples', seed, language).sample(fitting, count).flatMap((one): Message[] => [
    { role: 'user', content: alpacaPrompt(one.instruction, one.input) },
    { role: 'assistant', content: one.output },
  ]);
}
