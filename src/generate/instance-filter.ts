/**
 * Which instances of a task are left out, and why: the heuristics of Self-Instruct (Wang et al. 2022, arXiv 2212.10560,
 * section 2.2, "filtering and postprocessing", and its code), and what holds of any answer (answer-filter.ts).
 */
import { alpacaPrompt } from '../data/formats.ts';
import type { Language } from '../data/lints/language.ts';
import { findRepetition } from '../data/lints/repetition.ts';
import { rejectAnswer } from './answer-filter.ts';
import type { Rejection } from './filter.ts';
import type { ParsedInstance } from './parse-instance.ts';

export const instanceReasons = [
  'no answer',
  'unreadable',
  'cut',
  'empty',
  'no input',
  'input is the output',
  'unfinished',
  'copy of an example',
  'repetition',
  'echo',
  'as an AI',
  'wrong language',
  'duplicate',
  'same input, another output',
] as const;
export type InstanceReason = (typeof instanceReasons)[number];

export interface InstanceTask {
  readonly text: string;
  readonly language: Language;
  /** The output is a label. */
  readonly isClassification: boolean;
  /** The inputs of the worked examples that the teacher was shown. */
  readonly shownInputs: readonly string[];
}

/** Of an instance by itself. */
export function rejectInstance(
  { input, output }: ParsedInstance,
  { text, language, isClassification, shownInputs }: InstanceTask,
): Rejection<InstanceReason> | undefined {
  if (output === '') return { reason: 'empty' };
  if (isClassification && input === '') return { reason: 'no input' };
  if (isSame(input, output)) return { reason: 'input is the output' };
  if ([input, output].some((one) => /[:：]$/.test(one))) return { reason: 'unfinished', detail: 'ends with a colon' };
  if (input !== '' && shownInputs.some((shown) => isSame(input, shown))) return { reason: 'copy of an example' };
  const repeated = findRepetition(input);
  if (repeated !== undefined) return { reason: 'repetition', detail: repeated };
  if (isClassification) return undefined;
  const answer = { text: output, finishReason: 'stop', usage: undefined, raw: undefined } as const;
  return rejectAnswer(alpacaPrompt(text, input), answer, language) as Rejection<InstanceReason> | undefined;
}

/**
 * Of the instances of one task beside each other, in order. Of equal ones the first stays. Where an input has two outputs
 * none is believed; without an input there may be many good ones, and the first stays.
 */
export function rejectRepeated(instances: readonly ParsedInstance[]): (Rejection<InstanceReason> | undefined)[] {
  return instances.map(({ input, output }, place) => {
    const others = instances.filter((one, i) => i !== place && isSame(one.input, input));
    const before = instances.slice(0, place).filter((one) => isSame(one.input, input));
    if (before.some((one) => isSame(one.output, output))) return { reason: 'duplicate' };
    const rivals = input === '' ? before : others.filter((one) => !isSame(one.output, output));
    return rivals.length > 0 ? { reason: 'same input, another output' } : undefined;
  });
}

const isSame = (a: string, b: string): boolean => plain(a) === plain(b);
const plain = (text: string): string => text.trim().replace(/\s+/g, ' ').toLowerCase();
