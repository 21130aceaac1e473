/** The rows behind a training by itself: its steps, and of a reward model each held-out pair with both rewards. */
import { longerWins, marginName, type RewardedAnswer, type RewardedGroup, sourcesOf } from '../evaluate/reward-card.ts';
import { fixed, signed } from './format.ts';
import type { SourceFiles, TrainingRunInput } from './report-input.ts';
import { languageLabels } from './row-labels.ts';
import type { BrowserRow, RowSet } from './rows.ts';
import { stepRows } from './rows-of-run.ts';
import type { Words } from './words.ts';

export function rowsOfTraining(
  id: string,
  name: string,
  { stage, training, heldOut, card }: TrainingRunInput,
  files: SourceFiles,
  words: Words,
): RowSet[] {
  const { say, told } = words;
  const steps = stepRows(
    `${id}-steps`,
    name,
    training.log,
    files['steps'],
    words,
    stage === 'sft' ? 'loss (nats per token)' : 'loss',
  );
  if (!heldOut || !card) return [steps];
  return [
    {
      id: `${id}-pairs`,
      title: say('{name}: held-out pairs', { name }),
      facets: [
        { name: 'winner', label: say('told') },
        { name: 'language', label: say('language') },
        { name: 'longer', label: say('the better is the longer') },
        { name: 'margin', label: say('margin of the judge’s scores') },
        { name: 'sources', label: say('written by') },
      ],
      labels: {
        ...languageLabels(words),
        ...{ right: say('right'), wrong: say('wrong'), equal: say('equal'), yes: say('yes'), no: say('no') },
        ...Object.fromEntries(card.margins.map(({ name: margin }) => [margin, told(margin)])),
      },
      rows: heldOut.flatMap((group) => pairRows(group, words)),
      file: files['pairs'],
    },
    steps,
  ];
}

function pairRows({ id, language, prompt, answers, pairs }: RewardedGroup, words: Words): BrowserRow[] {
  const { say } = words;
  const isPlain = prompt.length === 1 && prompt[0]?.role === 'user';
  const asked = isPlain ? prompt[0]!.content : prompt.map(({ role, content }) => `[${role}] ${content}`).join('\n\n');
  return pairs.flatMap((pair, i): BrowserRow[] => {
    const [better, worse] = [answers[pair.better]!, answers[pair.worse]!];
    // As the card: without both rewards it is in no figure.
    if (!Number.isFinite(better.reward) || !Number.isFinite(worse.reward)) return [];
    const gap = better.reward - worse.reward;
    const label = (what: string, { source, reward }: RewardedAnswer) =>
      [what, ...(source === undefined ? [] : [source]), fixed(reward, 3)].join(' · ');
    return [
      {
        id: pairs.length > 1 ? `${id} · ${i + 1}` : id,
        facets: {
          winner: [gap > 0 ? 'right' : gap < 0 ? 'wrong' : 'equal'],
          language: [language ?? 'unknown'],
          longer: [longerWins({ better, worse }) === 1 ? 'yes' : 'no'],
          margin: [marginName(pair.margin)],
          sources: [sourcesOf({ better, worse })],
        },
        prompt: asked,
        texts: [
          [label(say('Better'), better), better.content],
          [label(say('Worse'), worse), worse.content],
        ],
        values: [
          [say('reward of the better less that of the worse'), signed(gap, 3)],
          ...(pair.margin === undefined ? [] : [[say('margin of the judge’s scores'), fixed(pair.margin, 1)] as const]),
        ],
      },
    ];
  });
}
