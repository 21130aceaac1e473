/** The rows behind the rounds: a held-out prompt with the policy's answers before and after, their rewards and scores. */
import { mean } from '../base/intervals.ts';
import { fixed } from './format.ts';
import type { LoopAnswer, LoopAnswers, LoopInput } from './loop-input.ts';
import type { BrowserRow, RowSet } from './rows.ts';
import type { Words } from './words.ts';

export function rowsOfLoop(id: string, name: string, { rounds }: LoopInput, words: Words): RowSet {
  const { say } = words;
  return {
    id: `${id}-rounds`,
    title: say('{name}: answers before and after a round', { name }),
    facets: [
      { name: 'round', label: say('round') },
      { name: 'teacher', label: say('the teacher’s mean') },
    ],
    labels: { rose: say('rose'), fell: say('did not rise') },
    rows: rounds.flatMap(({ round, answers }) => answers.map((one) => rowOf(round, one, words))),
    file: undefined,
  };
}

function rowOf(round: number, { id, prompt, before, after }: LoopAnswers, { say }: Words): BrowserRow {
  const named = (phrase: 'before {n}' | 'after {n}', answers: readonly LoopAnswer[]) =>
    answers.map((answer, i) => ({ label: say(phrase, { n: i + 1 }), answer }));
  const all = [...named('before {n}', before), ...named('after {n}', after)];
  const meanOf = (answers: readonly LoopAnswer[]) => mean(answers.flatMap(({ score }) => score ?? []));
  const told = (value: number | null) => (value === null ? say('none') : fixed(value, 3));
  return {
    id: `${round}/${id}`,
    facets: { round: [String(round)], teacher: [meanOf(after) > meanOf(before) ? 'rose' : 'fell'] },
    prompt,
    texts: all.map(({ label, answer }) => [label, answer.text]),
    values: all.flatMap(({ label, answer: { reward, score } }): [string, string][] => [
      [`${label}: ${say('reward')}`, told(reward)],
      [`${label}: ${say('teacher’s score')}`, told(score)],
    ]),
  };
}
