/** A reward model's card in words and tables. */
import type { Interval } from '../src/base/intervals.ts';
import type { CorrelationFigure } from '../src/evaluate/correlation.ts';
import type {
  Disagreement,
  NamedAccuracy,
  PairAccuracy,
  PickFigures,
  RewardCard,
} from '../src/evaluate/reward-card.ts';
import { count, fixed, languageName, plural, signed } from '../src/report/format.ts';
import { escapeMarkdown, fenced } from '../src/report/markdown-text.ts';
import { type Column, tableMarkdown } from '../src/report/table.ts';

/** Whole, as it stands beside the model; `summary`: without the single disagreements. */
export function cardMarkdown(card: RewardCard, { name, summary = false }: { name: string; summary?: boolean }): string {
  const parts = [
    `# Reward model ${escapeMarkdown(name)}: held-out comparisons`,
    head(card),
    accuracies(card),
    byName('Accuracy by the margin of the judge’s scores', 'margin', card.margins),
    byName(
      'Accuracy by language',
      'language',
      card.languages.map((one) => ({ ...one, name: languageName(one.name) })),
    ),
    byName('Accuracy by who wrote the two', 'sources', card.sources),
    calibration(card),
    length(card),
    picks(card),
    summary
      ? `${plural(card.disagreementsInAll, 'pair')} in which the worse answer has the higher reward: card.md has the worst.`
      : disagreements(card),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

const percent = (share: number): string => `${fixed(100 * share, 1)} %`;
const percentRange = ({ low, high }: Interval): string => `${percent(low)} to ${percent(high)}`;

function head({ prompts, answers, pairs, notFinite }: RewardCard): string {
  const left =
    notFinite === 0
      ? ''
      : ` ${plural(notFinite, 'answer')} whose reward is no finite number left out, with their pairs.`;
  return `${plural(prompts, 'prompt')} that the model was not trained on, ${plural(answers, 'answer')}, ${plural(pairs, 'pair')} of which one is known to be better.${left} Intervals are 95 % bootstraps over prompts.`;
}

const accuracyColumns: readonly Column[] = [
  { label: 'pairs', numeric: true },
  { label: 'accuracy', numeric: true },
  { label: '95 % interval', numeric: true },
  { label: 'says' },
  { label: '“longer is better”', numeric: true },
  { label: '95 % interval', numeric: true },
];

const accuracyCells = ({ pairs, accuracy, evidence, longerWins }: PairAccuracy): string[] => [
  count(pairs),
  percent(accuracy.mean),
  percentRange(accuracy),
  evidence,
  percent(longerWins.mean),
  percentRange(longerWins),
];

function accuracies({ all, notLonger, overLongerWins }: RewardCard): string {
  if (!all || !overLongerWins) return 'No pair is left: there is no accuracy to speak of.';
  const rows = [
    ['all pairs', ...accuracyCells(all)],
    ...(notLonger ? [['the better is not the longer', ...accuracyCells(notLonger)]] : []),
  ];
  const table = tableMarkdown({ caption: 'Accuracy', columns: [{ label: '' }, ...accuracyColumns], rows });
  const { mean, low, high } = overLongerWins;
  const over = `Against “the longer one is better”, on all pairs: ${signed(100 * mean, 1)} points (${signed(100 * low, 1)} to ${signed(100 * high, 1)}).`;
  const sure =
    notLonger?.evidence === 'better than chance'
      ? 'It is right more often than chance where the better answer is not the longer one: it has learned more than length.'
      : `Where the better answer is not the longer one there is ${notLonger ? `${notLonger.evidence === 'no evidence' ? 'no evidence that it does better than chance' : 'evidence that it does worse than chance'}` : 'no pair to look at'}: it may have learned length alone.`;
  return `${table}\n\n${over} ${sure}`;
}

function byName(caption: string, label: string, rows: readonly NamedAccuracy[]): string {
  if (rows.length === 0 || (rows.length === 1 && /^(unknown|not known)/.test(rows[0]!.name))) return '';
  const cells = rows.map((row) => [row.name, ...accuracyCells(row)]);
  return tableMarkdown({ caption, columns: [{ label }, ...accuracyColumns], rows: cells });
}

function calibration({ calibration: { error, bins } }: RewardCard): string {
  if (error === null) return '';
  const rows = bins
    .filter(({ items }) => items > 0)
    .map(({ from, to, items, predicted, observed }) => [
      `${fixed(from, 1)} to ${fixed(to, 1)}`,
      count(items),
      percent(predicted!),
      percent(observed!),
    ]);
  const columns: Column[] = [
    { label: 'σ(r₁ − r₂)' },
    { label: 'pairs', numeric: true },
    { label: 'predicted', numeric: true },
    { label: 'first is better', numeric: true },
  ];
  const caption = `Calibration: expected error ${percent(error)}; which of two comes first is drawn by seed`;
  return tableMarkdown({ caption, columns, rows });
}

function length({ length: { items, pearson, spearman } }: RewardCard): string {
  const figure = ({ value, low, high }: CorrelationFigure) =>
    value === null
      ? 'none, one of the two does not vary'
      : `${signed(value, 2)} (${signed(low!, 2)} to ${signed(high!, 2)})`;
  return `Reward and length in tokens, over ${plural(items, 'answer')}: Spearman’s ρ ${figure(spearman)}, Pearson’s r ${figure(pearson)}.`;
}

function picks({ pick: { answersPerPrompt, rank, score } }: RewardCard): string {
  if (!rank) return '';
  const row = (name: string, figures: PickFigures): string[] => {
    const { prompts, pick, random, best, gain, shareOfPossible } = figures;
    return [
      name,
      count(prompts),
      fixed(random.mean, 2),
      fixed(pick.mean, 2),
      fixed(best.mean, 2),
      `${signed(gain.mean, 2)} (${signed(gain.low, 2)} to ${signed(gain.high, 2)})`,
      shareOfPossible ? `${percent(shareOfPossible.mean)} (${percentRange(shareOfPossible)})` : '–',
    ];
  };
  return tableMarkdown({
    caption: `The answer of the highest reward, of ${fixed(answersPerPrompt, 1)} a prompt`,
    columns: [
      { label: '' },
      { label: 'prompts', numeric: true },
      { label: 'at random', numeric: true },
      { label: 'picked', numeric: true },
      { label: 'the best', numeric: true },
      { label: 'gain', numeric: true },
      { label: 'of what there is to gain', numeric: true },
    ],
    rows: [row('rank (1 is the best)', rank), ...(score ? [row('score', score)] : [])],
  });
}

function disagreements({ disagreements: shown, disagreementsInAll }: RewardCard): string {
  if (shown.length === 0) return 'In no pair the worse answer has the higher reward.';
  const title = `## The worst disagreements: ${count(shown.length)} of ${plural(disagreementsInAll, 'pair')} in which the worse answer has the higher reward`;
  return [title, ...shown.map(disagreement)].join('\n\n');
}

function disagreement({ id, prompt, better, worse, margin, gap }: Disagreement, i: number): string {
  const by = margin === undefined ? '' : `; by the judge’s scores ${fixed(margin, 1)} better`;
  const answer = (what: string, { content, source, reward, score }: Disagreement['better']): string => {
    const facts = [
      source,
      score === undefined ? undefined : `score ${fixed(score, 1)}`,
      `reward ${fixed(reward, 2)}`,
    ].filter((fact) => fact !== undefined);
    return `${what} (${escapeMarkdown(facts.join(', '))}):\n\n${fenced(content)}`;
  };
  return [
    `### ${i + 1}. ${escapeMarkdown(id)}: reward ${fixed(gap, 2)} the wrong way${by}`,
    ...prompt.map(({ role, content }) => `${role}:\n\n${fenced(content)}`),
    answer('Better', better),
    answer('Worse', worse),
  ].join('\n\n');
}
