/**
 * New instructions by Self-Instruct (Wang et al. 2022, arXiv 2212.10560): the teacher sees a few tasks and writes one
 * more.
 * Departures from the paper:
 * 1. The examples are seeds only, never generated ones: so the whole plan is known before the first call, a resumed
 *    run asks the same, and the error of one answer does not spread.
 * 2. One task a call, not eight, and the examples are turns of a conversation in which the assistant wrote tasks 1 to
 *    k: models of 135 million parameters do that, while a numbered list in one turn makes them answer it or copy it.
 * 3. In the style `alpaca` (as Taori et al. 2023 simplified it) examples with an input show it on the same line, so that
 *    tasks are complete in themselves and are answered like any other: no instances, and classification is not treated
 *    apart. In the style `self-instruct` tasks have no input yet: classification.ts and instances.ts go on.
 * 4. Outputs are never shown. Seeds of several lines, long ones and those to be refused are no examples.
 */
import { ConfigError, invariant } from '../base/errors.ts';
import type { Message } from '../base/message.ts';
import { Rng } from '../base/rng.ts';
import { alpacaPrompt, type Seed } from '../data/formats.ts';
import type { Language } from '../data/lints/language.ts';
import { NoveltyFilter } from '../data/novelty.ts';
import { askAll, type CallerOptions, type Outcome } from '../teacher/caller.ts';
import type { TeacherRequest } from '../teacher/teacher.ts';
import { characters, whitespaceWords } from '../text/words.ts';
import { assertAnswered } from './failures.ts';
import { type InstructionReason, type Rejection, rejectInstruction } from './filter.ts';
import { parseInstruction } from './parse.ts';
import { fillPrompt, promptFile, readPrompt } from './prompts.ts';

export type GenerationStyle = 'alpaca' | 'self-instruct';

export interface InstructionPlan {
  /** Default alpaca. */
  readonly style?: GenerationStyle | undefined;
  /** Seeds of any language: examples are those of `language`, novelty is measured against all. */
  readonly seeds: readonly Seed[];
  /** How many calls; at most so many instructions come of them. */
  readonly count: number;
  readonly examplesPerPrompt: number;
  /** Of the choice of examples. */
  readonly seed: number;
  readonly model: string;
  readonly language: Language;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP?: number | undefined;
}

export interface PlannedInstruction {
  readonly request: TeacherRequest;
  /** As the teacher sees them. */
  readonly examples: readonly string[];
}

export interface GeneratedInstruction {
  /** Names the row of the plan, so it does not depend on what was rejected before it. */
  readonly id: string;
  readonly text: string;
  readonly language: Language;
  /** Key of the call in the ledger. */
  readonly call: string;
}

export interface Reject<Reason extends string> extends Rejection<Reason> {
  /** Of the row of the plan. */
  readonly id: string;
  /** What was rejected; '' where nothing came. */
  readonly text: string;
  readonly call: string;
}

/** A longer example leaves too little room, in a small teacher's attention, for the others. */
const longestExample: Record<Language, number> = { en: 60, zh: 120 };

/** Pure: equal options give equal requests, and a longer plan begins with the shorter one. */
export const planInstructionRequests = (plan: InstructionPlan): TeacherRequest[] =>
  planInstructions(plan).map(({ request }) => request);

export function planInstructions(plan: InstructionPlan): PlannedInstruction[] {
  const { style = 'alpaca', count, examplesPerPrompt, language, model, maxTokens, temperature, topP } = plan;
  const pool = exampleTexts(plan.seeds, language, style);
  if (!(examplesPerPrompt >= 1 && examplesPerPrompt <= pool.length)) {
    throw new ConfigError(
      `examplesPerPrompt: expected 1 to ${pool.length} (the short ${language} seeds), got ${examplesPerPrompt}`,
      { hint: 'lower examplesPerPrompt or add short seeds' },
    );
  }
  const prompt = readPrompt(promptFile(`${promptNames[style]}-${language}`), 2, ['number']).parts;
  const samples = new Map<string, number>();
  return Array.from({ length: count }, (_, row) => {
    const examples = new Rng('instructions', plan.seed, language, row).sample(pool, examplesPerPrompt);
    const messages = toMessages(prompt, examples);
    // The same examples in the same order are another sample of the same request.
    const same = examples.join('\n');
    const sample = samples.get(same) ?? 0;
    samples.set(same, sample + 1);
    const parameters = { maxTokens, temperature, ...(topP === undefined ? {} : { topP }) };
    return { request: { model, messages, parameters, sample }, examples };
  });
}

const promptNames: Record<GenerationStyle, string> = { alpaca: 'instructions', 'self-instruct': 'instructions-alone' };

function exampleTexts(seeds: readonly Seed[], language: Language, style: GenerationStyle): string[] {
  const texts = seeds
    .filter((seed) => seed.language === language && seed.category !== 'refusal')
    .filter(({ instruction, input }) => !`${instruction}${input}`.includes('\n'))
    .map(({ instruction, input }) =>
      (style === 'alpaca' ? [instruction, input] : [instruction])
        .filter((text) => text !== '')
        .join(language === 'zh' ? '' : ' '),
    )
    .filter(
      (text) => (language === 'zh' ? characters(text) : whitespaceWords(text)).length <= longestExample[language],
    );
  // Seeds may share an instruction, and differ in what it is done on.
  return style === 'alpaca' ? texts : [...new Set(texts)];
}

function toMessages([opening, further]: readonly string[], examples: readonly string[]): Message[] {
  invariant(opening !== undefined && further !== undefined, 'a prompt for instructions has two parts');
  const ask = (number: number): Message => {
    return { role: 'user', content: fillPrompt(number === 1 ? opening : further, { number }) };
  };
  const shown = examples.flatMap((example, i): Message[] => {
    return [ask(i + 1), { role: 'assistant', content: `${i + 1}. ${example}` }];
  });
  return [...shown, ask(examples.length + 1)];
}

/** Asks by plan and keeps what passes the filters, decided in the plan's order whatever order answers came in. */
export async function generateInstructions(
  plan: Omit<InstructionPlan, 'model'>,
  ask: CallerOptions,
): Promise<{ instructions: GeneratedInstruction[]; rejects: Reject<InstructionReason>[] }> {
  const planned = planInstructions({ ...plan, model: ask.teacher.model });
  const outcomes = await askAll(
    planned.map(({ request }) => request),
    ask,
  );
  assertAnswered(outcomes, ask.teacher);
  const novelty = noveltyOf(plan.seeds);
  const instructions: GeneratedInstruction[] = [];
  const rejects: Reject<InstructionReason>[] = [];
  for (const [row, outcome] of outcomes.entries()) {
    const id = `generated-${plan.language}-${row}`;
    const call = outcome.key;
    const { text, rejection } = judge(outcome, planned[row]?.examples ?? [], plan, novelty);
    if (rejection) rejects.push({ id, text, call, ...rejection });
    else instructions.push({ id, text, language: plan.language, call });
  }
  return { instructions, rejects };
}

function judge(
  { answer, error }: Outcome,
  examples: readonly string[],
  { language, style = 'alpaca' }: Pick<InstructionPlan, 'language' | 'style'>,
  novelty: NoveltyFilter,
): { text: string; rejection: Rejection<InstructionReason> | undefined } {
  if (error) return { text: '', rejection: { reason: 'no answer', detail: error.message } };
  const parsed = parseInstruction(answer.text, style === 'alpaca');
  const { text } = parsed;
  const rejection = rejectInstruction(parsed, { finishReason: answer.finishReason, examples, language });
  if (rejection) return { text, rejection };
  const verdict = novelty.offer(text);
  if (verdict.kept) return { text, rejection: undefined };
  return { text, rejection: { reason: 'too similar', detail: `F ${verdict.f.toFixed(2)} with: ${verdict.nearest}` } };
}

/** Knows every seed's instruction, and its whole user turn where it has an input. */
function noveltyOf(seeds: readonly Seed[]): NoveltyFilter {
  const novelty = new NoveltyFilter();
  for (const { instruction, input } of seeds) {
    novelty.add(instruction);
    if (input !== '') novelty.add(alpacaPrompt(instruction, input));
  }
  return novelty;
}
