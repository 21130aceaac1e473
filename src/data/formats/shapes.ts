/** The table of the forms that files are read in, and which of them a row is in. */
import { DataError, type DataIssue } from '../../base/errors.ts';
import { isObject, kindOf } from '../../base/rows.ts';
import { alpacaShape } from './alpaca.ts';
import { comparisonPairsShape, comparisonV1Shape, comparisonV2Shape } from './gpt4-llm.ts';
import { messagesShape } from './messages.ts';
import { rankedShape } from './ranked.ts';
import { isThere, type Members, type Shape } from './row.ts';
import { shareGptShape } from './sharegpt.ts';
import { preferenceShape, promptCompletionShape } from './trl.ts';

/** The first that matches is it: a row with answers to compare is a comparison, whatever else it has. */
const shapes: readonly Shape[] = [
  preferenceShape,
  rankedShape,
  comparisonV1Shape,
  comparisonV2Shape,
  comparisonPairsShape,
  messagesShape,
  shareGptShape,
  alpacaShape,
  promptCompletionShape,
];

/** Members with an answer in them, in forms that are none of these. */
const answerNames = ['answer', 'output', 'response'];

/** Forms that are known and have nothing to learn answers from. */
const refused: readonly { matches(members: Members): boolean; found: string; hint: string }[] = [
  {
    matches: (members) => isThere(members['completions']) && isThere(members['labels']),
    found: 'TRL rows of stepwise supervision (prompt, completions, labels)',
    hint: 'steps that are marked right or wrong are no answers: give rows of prompt and completion',
  },
  {
    matches: (members) => isThere(members['completion']) && isThere(members['label']),
    found: 'TRL rows of unpaired preference (prompt, completion, label)',
    hint: 'an answer marked bad must not be learned: keep the good rows without their label, or pair them as chosen and rejected',
  },
  {
    matches: (members) => isThere(members['instruction']) && isThere(members['instances']),
    found: 'tasks of Self-Instruct (instruction, instances)',
    hint: 'write one row for each instance: {"instruction", "input", "output"}',
  },
  {
    matches: (members) =>
      isThere(members['turns']) || (isThere(members['prompt']) && !answerNames.some((name) => isThere(members[name]))),
    found: 'prompts without answers',
    hint: 'have them answered: ./understudy answer --prompts FILE',
  },
  {
    matches: (members) => isThere(members['text']),
    found: 'plain text (text), as for language modelling',
    hint: 'fine-tuning learns answers, and plain text does not say where one begins: give rows of prompt and completion',
  },
];

/** The shape of a row; undefined where it has none. */
export const shapeOf = (value: unknown): Shape | undefined =>
  isObject(value) ? shapes.find((shape) => shape.matches(value)) : undefined;

/** The error for a file in which no row has a shape. `broken`: its rows that are no JSON; `first`: the first other. */
export function unknownShape(file: string, first: unknown, hasRows: boolean, broken: readonly DataIssue[]): DataError {
  const hint = `known shapes, as JSON array or JSON Lines: ${shapes.map(({ example }) => example).join('; ')}`;
  if (!hasRows) return new DataError(file, broken, { hint });
  const known = isObject(first) ? refused.find(({ matches }) => matches(first)) : undefined;
  if (known) return new DataError(file, { message: `expected rows with answers, found ${known.found}` }, known);
  const found = isObject(first) ? `an object with ${listNames(Object.keys(first))}` : kindOf(first);
  return new DataError(file, { message: `expected rows of a known shape, found ${found} first` }, { hint });
}

const listNames = (names: readonly string[]): string =>
  names.length === 0
    ? 'nothing in it'
    : names
        .slice(0, 8)
        .map((name) => JSON.stringify(name))
        .join(', ');
