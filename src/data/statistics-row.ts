/** What statistics count of a row as it stands in a file, whether or not training could use it. */
import { isObject } from '../base/rows.ts';
import type { Members } from './formats/row.ts';
import { shapeOf } from './formats/shapes.ts';
import { guessLanguage } from './guess-language.ts';

export interface RowTexts {
  /** The `instruction` of Alpaca's forms, else the first turn of the user; '' where there is neither. */
  readonly instruction: string;
  /** Of Alpaca's and Self-Instruct's forms alone; '' where there is none. */
  readonly input: string;
  /** Every answer: of a comparison all that are compared. */
  readonly outputs: readonly string[];
  /** Turns of user and assistant; a comparison's answers are one. */
  readonly turns: number;
  /** What the row says, else a guess. */
  readonly language: string;
  /** Whether `data validate` names something in it. */
  readonly isBroken: boolean;
}

/** Undefined where it has none of the known forms, nor an instruction without an answer or with Self-Instruct's instances. */
export function rowTexts(row: Members): RowTexts | undefined {
  const shape = shapeOf(row);
  if (!shape) return task(row);
  let isBroken = false;
  const report = (): void => {
    isBroken = true;
  };
  const { said, outputs, turns } =
    shape.kind === 'conversations' ? conversation(shape.read(row, report).turns) : comparison(shape.read(row, report));
  const user = said.find(({ role }) => role === 'user')?.content ?? '';
  const { instruction, input, language } = row;
  return {
    instruction: typeof instruction === 'string' ? instruction : user,
    input: typeof instruction === 'string' && typeof input === 'string' ? input : '',
    outputs,
    turns,
    language: typeof language === 'string' && language !== '' ? language : guessLanguage(user),
    isBroken,
  };
}

/** As Self-Instruct's seeds and tasks: `{instruction, instances?: [{input, output}]}`. */
function task({ instruction, input, instances, language }: Members): RowTexts | undefined {
  if (typeof instruction !== 'string') return undefined;
  const listed: readonly unknown[] = Array.isArray(instances) ? instances : [];
  const member = (instance: unknown, name: string): string[] => {
    const value = isObject(instance) ? instance[name] : undefined;
    return typeof value === 'string' ? [value] : [];
  };
  const inputs = [...(typeof input === 'string' ? [input] : []), ...listed.flatMap((one) => member(one, 'input'))];
  const outputs = listed.flatMap((one) => member(one, 'output'));
  return {
    instruction,
    input: inputs.find((text) => text.trim() !== '') ?? '',
    outputs,
    turns: outputs.length > 0 ? 2 : 1,
    language: typeof language === 'string' && language !== '' ? language : guessLanguage(instruction),
    isBroken: true,
  };
}

interface Said {
  readonly role: string;
  readonly content: string;
}

function conversation(turns: readonly Said[]): { said: readonly Said[]; outputs: string[]; turns: number } {
  return {
    said: turns,
    outputs: turns.flatMap(({ role, content }) => (role === 'assistant' ? [content] : [])),
    turns: turns.filter(({ role }) => role !== 'system').length,
  };
}

function comparison({ prompt, answers }: { prompt: readonly Said[]; answers: readonly { content: string }[] }) {
  return {
    said: prompt,
    outputs: answers.map(({ content }) => content),
    turns: prompt.filter(({ role }) => role !== 'system').length + 1,
  };
}
