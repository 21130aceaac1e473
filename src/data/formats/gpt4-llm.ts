/**
 * Answers compared by GPT-4, as Peng et al. 2023 (arXiv 2304.03277) published them. Version 1: `{user_input,
 * completion_a, completion_b}`, a being the better. Version 2: `{user_input, responses_and_scores: [{response, source,
 * score}]}`. And as LLaMA-Factory passed them on: Alpaca's rows with `output: [better, worse]`. `user_input` is taken
 * for one turn of the user's as it is.
 */

import { kindOf } from '../../base/rows.ts';
import type { Preference } from '../preferences.ts';
import { preferencePairs, rankScores } from '../preferences.ts';
import { readPromptTurns, toPromptMembers } from './alpaca.ts';
import {
  type AnswerReading,
  checkPrompt,
  hasAll,
  type Members,
  mapObjects,
  optionalString,
  type PreferenceReading,
  type PreferenceShape,
  type Report,
  requiredString,
  type Turn,
  type Written,
} from './row.ts';

export const comparisonV1Shape: PreferenceShape = {
  kind: 'preferences',
  name: 'comparison-v1',
  matches: (members) => hasAll(members, 'user_input', 'completion_a', 'completion_b'),
  example: 'GPT-4-LLM {"user_input", "completion_a", "completion_b"}',
  read(members, report) {
    const prompt = userInput(members, report);
    const answers = ['completion_a', 'completion_b'].map((name): AnswerReading => {
      return { content: requiredString(members, name, report), path: name };
    });
    return { prompt, answers, rankedBy: 'order' };
  },
};

export const comparisonV2Shape: PreferenceShape = {
  kind: 'preferences',
  name: 'comparison-v2',
  matches: (members) => hasAll(members, 'user_input', 'responses_and_scores'),
  example: 'GPT-4-LLM {"user_input", "responses_and_scores": [{"response", "source", "score"}]}',
  read(members, report): PreferenceReading {
    const prompt = userInput(members, report);
    checkSeveral(members, 'responses_and_scores', report);
    const answers = mapObjects(members, 'responses_and_scores', report, (one, path): AnswerReading => {
      const content = requiredString(one, 'response', report, `${path}.response`);
      const { score } = one;
      const isNumber = typeof score === 'number';
      if (!isNumber) report(`${path}.score`, `expected a number, got ${kindOf(score)}`);
      const source = optionalString(one, 'source', report, `${path}.source`);
      return { content, path: `${path}.response`, score: isNumber ? score : 0, source };
    });
    return { prompt, answers, rankedBy: 'scores' };
  },
};

export const comparisonPairsShape: PreferenceShape = {
  kind: 'preferences',
  name: 'comparison-pairs',
  // An empty list is an Alpaca row whose output is of the wrong type.
  matches: ({ instruction, output }) => typeof instruction === 'string' && Array.isArray(output) && output.length > 0,
  example: 'comparisons {"instruction", "input", "output": ["better", "worse"]}',
  read(members, report): PreferenceReading {
    const prompt = readPromptTurns(members, report);
    if (typeof members['instruction'] === 'string') checkPrompt(prompt, 'instruction', report);
    const { output } = members;
    if (!Array.isArray(output)) {
      report('output', `expected a list of answers, the best first, got ${kindOf(output)}`);
      return { prompt, answers: [], rankedBy: 'order' };
    }
    checkSeveral(members, 'output', report);
    const answers = output.map((content: unknown, i): AnswerReading => {
      const path = `output[${i}]`;
      if (typeof content !== 'string') report(path, `expected a string, got ${kindOf(content)}`);
      return { content: typeof content === 'string' ? content : '', path };
    });
    return { prompt, answers, rankedBy: 'order' };
  },
};

function checkSeveral(members: Members, name: string, report: Report): void {
  const list = members[name];
  if (Array.isArray(list) && list.length < 2)
    report(name, `expected two or more answers to compare, got ${list.length}`);
}

function userInput(members: Members, report: Report): Turn[] {
  const content = requiredString(members, 'user_input', report);
  const prompt: Turn[] = [{ role: 'user', content, path: 'user_input' }];
  if (typeof members['user_input'] === 'string') checkPrompt(prompt, 'user_input', report);
  return prompt;
}

/** undefined where the prompt is more than one turn of the user's. */
const singleTurn = ({ prompt }: Preference): string | undefined =>
  prompt.length === 1 ? prompt[0]?.content : undefined;
const tooLong: Written = { problem: 'the prompt is more than one turn: the form has user_input alone' };

/** One row for each two answers of different rank. Scores, sources and where the row came from are not in the form. */
export function toComparisonV1Rows(preference: Preference): Written {
  const user_input = singleTurn(preference);
  if (user_input === undefined) return tooLong;
  const { pairs, ties } = preferencePairs(preference);
  const rows = pairs.map(({ better, worse }, i) => ({
    id: pairs.length === 1 ? preference.id : `${preference.id}#${i + 1}`,
    user_input,
    completion_a: better.content,
    completion_b: worse.content,
  }));
  return { rows, ties };
}

export function toComparisonV2Row(preference: Preference): Written {
  const user_input = singleTurn(preference);
  if (user_input === undefined) return tooLong;
  const { id, answers } = preference;
  if (answers.some(({ score }) => score === undefined))
    return { problem: 'an answer has no score, and every one needs one' };
  const byScore = rankScores(answers.map(({ score }) => score as number));
  if (answers.some(({ rank }, i) => rank !== byScore[i]))
    return { problem: 'answers of one score have different ranks, and the form has scores alone' };
  const responses_and_scores = answers.map(({ content, source, score }) => ({ response: content, source, score }));
  return { rows: [{ id, user_input, responses_and_scores }] };
}

/** The best first. */
export function toComparisonPairsRow({ id, prompt, answers, undecided, language, category }: Preference): Written {
  const sorted = [...answers].sort((a, b) => a.rank - b.rank);
  if (undecided?.length) return { problem: 'of two answers neither is better, and the form lists them by rank' };
  if (sorted.some(({ rank }, i) => rank === sorted[i - 1]?.rank))
    return { problem: 'two answers are tied, and the form lists them by rank' };
  const { system, instruction, input, history } = toPromptMembers(prompt);
  const output = sorted.map(({ content }) => content);
  return { rows: [{ id, language, category, system, instruction, input, output, history }] };
}
