/** The rows behind reinforcement learning: its iterations, and every answer that was rewarded. */
import { count, fixed } from './format.ts';
import type { RlInput, SourceFiles } from './report-input.ts';
import { windowOf } from './rl-change.ts';
import type { RowSet } from './rows.ts';
import type { Words } from './words.ts';

export function rowsOfRl(
  id: string,
  name: string,
  { log, answers }: RlInput,
  files: SourceFiles,
  words: Words,
): RowSet[] {
  const { say } = words;
  const window = windowOf(log);
  const windowFacet = (step: number) => {
    const at = window(step);
    return at === undefined ? [] : [at];
  };
  const value = (number: number | null) => (number === null ? say('none') : fixed(number, 4));
  const labels = {
    first: say('the first'),
    last: say('the last'),
    stop: say('ended by itself'),
    length: say('cut off at the length limit'),
    unscored: say('without a reward'),
  };
  const when = { name: 'window', label: say('iterations') };
  return [
    {
      id: `${id}-iterations`,
      title: say('{name}: iterations', { name }),
      facets: [when],
      labels,
      rows: log.map(({ step, seconds, reward, kl, entropy, length, metrics }) => ({
        id: say('iteration {n}', { n: count(step) }),
        facets: { window: windowFacet(step) },
        prompt: '',
        texts: [],
        values: [
          [say('reward'), fixed(reward, 4)],
          [say('divergence, nats an answer'), fixed(kl, 4)],
          [say('entropy, nats a token'), fixed(entropy, 4)],
          [say('length, tokens an answer'), fixed(length, 1)],
          [say('seconds'), fixed(seconds, 1)],
          // By the names of the training log.
          ...Object.entries(metrics).map(([metric, number]): [string, string] => ['', `${metric} ${value(number)}`]),
        ],
      })),
      file: files['iterations'],
    },
    {
      id: `${id}-answers`,
      title: say('{name}: answers while it learned', { name }),
      facets: [
        when,
        { name: 'step', label: say('iteration') },
        { name: 'ended', label: say('ended by') },
        { name: 'flags', label: say('seen') },
      ],
      labels,
      rows: answers.map(({ step, prompt, asked = '', text, finishReason, tokens, reward, parts }) => ({
        id: say('{prompt}, iteration {n}', { prompt, n: count(step) }),
        facets: {
          ...{ step: [String(step)], window: windowFacet(step), ended: [finishReason] },
          flags: reward === null ? ['unscored'] : [],
        },
        prompt: asked,
        texts: [[say('Answer'), text]],
        values: [
          [say('reward'), value(reward)],
          ...Object.entries(parts).map(([source, earned]): [string, string] => [source, value(earned)]),
          [say('tokens'), count(tokens)],
        ],
      })),
      file: files['answers'],
    },
  ];
}
