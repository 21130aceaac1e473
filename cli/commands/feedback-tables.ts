/** What comparisons have to teach, as tables. */
import type { FeedbackResult } from '../../recipes/feedback.ts';
import { dim, green, print, say } from '../terminal.ts';

/** Of the longest bar. */
const barWidth = 40;
/** More ties than this and another policy is worth naming. */
const manyTies = 0.5;

/** `isQuiet`: the figures were printed in another form. */
export function showFeedback(result: FeedbackResult, isQuiet: boolean): void {
  const { out, rejects, written, compared, prompts, yield: made, ties, verdicts } = result;
  if (!isQuiet) for (const line of tables(result)) print(line);
  say(
    `${green('✓')} ${out}: ${written} rows of ${compared} compared prompts (of ${prompts}); put aside, with reasons: ${rejects}`,
  );
  if (made.twos > 0 && made.ties / made.twos > manyTies && ties === 'drop')
    say(
      `  ${share(made.ties, made.twos)} are ties and teach nothing: --ties head-to-head or --ties expected tells more apart`,
    );
  if (verdicts.asked > verdicts.failed && verdicts.read + verdicts.partial === 0)
    say('  no verdict could be read: a teacher too small to score as it is told can score by --scorer logprob');
  if (verdicts.failed > 0) say('  some calls brought no answer: run the same command again to ask them again');
}

function* tables({ yield: made, answers, verdicts }: FeedbackResult): Generator<string> {
  const { twos, byMargin, ties, unreadable, failed, histogram, sources, places } = made;
  const most = Math.max(1, ...byMargin.map(({ pairs }) => pairs), ties, unreadable, failed);
  const row = (name: string, count: number): string =>
    `${name.padEnd(16)}${`${count}`.padStart(10)}${share(count, twos).padStart(9)}  ${'█'.repeat(Math.ceil((barWidth * count) / most))}`;
  yield `${'margin'.padEnd(16)}${'twos'.padStart(10)}`;
  for (const { from, below, pairs } of byMargin)
    yield row(below === null ? `${from}+` : `${from} to < ${below}`, pairs);
  yield row('ties', ties);
  yield row('unreadable', unreadable);
  yield row('failed', failed);
  yield `${'all twos'.padEnd(16)}${`${twos}`.padStart(10)}`;
  if (made.duels) yield dim(`head to head: ${counts(made.duels)}`);
  yield '';
  if (histogram.length > 0)
    yield `scores given: ${histogram.map(({ score, verdicts: times }) => `${score} × ${times}`).join(', ')}`;
  if (places.length > 1)
    yield `mean score by place shown: ${places.map(({ place, mean }) => `${place}: ${mean.toFixed(2)}`).join(', ')}`;
  for (const { source, mean } of sources) {
    const own = answers[source];
    yield `${source}: mean ${mean === null ? 'none' : mean.toFixed(2)}; answers ${own ? counts({ ...own }) : 'none'}`;
  }
  yield `verdicts: ${counts(verdicts)}`;
}

const share = (count: number, of: number): string => (of === 0 ? '' : `${((100 * count) / of).toFixed(1)} %`);

/** Those that are not 0. */
const counts = (all: Readonly<Record<string, number>>): string =>
  Object.entries(all)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ') || 'none';
