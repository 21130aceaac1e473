/**
 * What comparisons of answers have to teach, counted before anything is trained: of every two answers to a prompt, how many
 * are pairs, by how much one is better, and how many say nothing and why.
 */
import { type Preference, preferencePairs } from '../data/preferences.ts';
import type { ScoredGroup } from './feedback.ts';
import type { Duel } from './feedback-ties.ts';

/** Lower ends of the classes of margins; 0 has what was decided head to head, and less than half a point. */
const marginsFrom = [0, 0.5, 1, 2, 3] as const;

export interface FeedbackYield {
  /** Every two answers to one prompt: twos = pairs + ties + unreadable + failed. */
  readonly twos: number;
  /** One is better. */
  readonly pairs: number;
  /** From `from` on, to below the next one's; null: no end. */
  readonly byMargin: readonly { readonly from: number; readonly below: number | null; readonly pairs: number }[];
  /** Of the pairs: of one score, told apart head to head. */
  readonly headToHead: number;
  readonly ties: number;
  /** One of the two has no score: in what the teacher said there was none, or it said nothing. */
  readonly unreadable: number;
  readonly failed: number;
  /** Twos of one score, before any was re-judged. */
  readonly sameScore: number;
  /** What head to head came to, where it was asked. */
  readonly duels?: Readonly<Record<Duel['result'] | 'contradictory', number>>;
  /** How often each single score was given, ascending; of log-probabilities none. */
  readonly histogram: readonly { readonly score: number; readonly verdicts: number }[];
  readonly sources: readonly { readonly source: string; readonly answers: number; readonly mean: number | null }[];
  /** Mean score by the place an answer was shown at: how far the order sways the teacher. */
  readonly places: readonly { readonly place: number; readonly verdicts: number; readonly mean: number }[];
}

interface Sum {
  count: number;
  total: number;
}

export class YieldTally {
  readonly #margins = marginsFrom.map(() => 0);
  readonly #duels = { first: 0, second: 0, tie: 0, disagree: 0, unreadable: 0, failed: 0, contradictory: 0 };
  #hasDuels = false;
  #twos = 0;
  #headToHead = 0;
  #ties = 0;
  #unreadable = 0;
  #failed = 0;
  #sameScore = 0;
  readonly #scores = new Map<number, number>();
  readonly #sources = new Map<string, Sum & { answers: number }>();
  readonly #places = new Map<number, Sum>();
  readonly #isOnScale: boolean;

  /** `isOnScale`: single scores are points of a scale, and worth counting each. */
  constructor(isOnScale: boolean) {
    this.#isOnScale = isOnScale;
  }

  add(
    { candidates }: Pick<ScoredGroup, 'candidates'>,
    ranked: Pick<Preference, 'answers' | 'undecided'>,
    duels: readonly Duel[],
  ): void {
    const { pairs, ties } = preferencePairs(ranked);
    this.#ties += ties;
    for (const { better, worse, margin = 0 } of pairs) {
      const at = marginsFrom.findLastIndex((from) => margin >= from);
      this.#margins[at]! += 1;
      if (better.score === worse.score) this.#headToHead += 1;
    }
    for (const [i, one] of candidates.entries()) {
      for (const other of candidates.slice(i + 1)) {
        this.#twos += 1;
        if (one.problem === 'failed' || other.problem === 'failed') this.#failed += 1;
        else if (one.problem || other.problem) this.#unreadable += 1;
        else if (one.score === other.score) this.#sameScore += 1;
      }
    }
    for (const { result } of duels) this.#duels[result] += 1;
    this.#hasDuels ||= duels.length > 0;
    const decided = duels.filter(({ result }) => result === 'first' || result === 'second').length;
    this.#duels.contradictory += decided - pairs.filter(({ better, worse }) => better.score === worse.score).length;
    this.#addScores(candidates);
  }

  #addScores(candidates: ScoredGroup['candidates']): void {
    for (const { source, also = [], score, verdicts } of candidates) {
      for (const name of [source, ...also]) {
        const sum = this.#sources.get(name) ?? { answers: 0, count: 0, total: 0 };
        sum.answers += 1;
        if (score !== undefined) addTo(sum, score);
        this.#sources.set(name, sum);
      }
      if (!this.#isOnScale) continue;
      for (const verdict of verdicts) {
        this.#scores.set(verdict.score, (this.#scores.get(verdict.score) ?? 0) + 1);
        const sum = this.#places.get(verdict.place) ?? { count: 0, total: 0 };
        addTo(sum, verdict.score);
        this.#places.set(verdict.place, sum);
      }
    }
  }

  result(): FeedbackYield {
    const byMargin = marginsFrom.map((from, i) => {
      return { from, below: marginsFrom[i + 1] ?? null, pairs: this.#margins[i] as number };
    });
    return {
      twos: this.#twos,
      pairs: byMargin.reduce((sum, { pairs }) => sum + pairs, 0),
      byMargin,
      headToHead: this.#headToHead,
      ties: this.#ties,
      unreadable: this.#unreadable,
      failed: this.#failed,
      sameScore: this.#sameScore,
      ...(this.#hasDuels ? { duels: this.#duels } : {}),
      histogram: [...this.#scores].sort(([a], [b]) => a - b).map(([score, verdicts]) => ({ score, verdicts })),
      sources: [...this.#sources]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([source, { answers, count, total }]) => ({ source, answers, mean: count === 0 ? null : total / count })),
      places: [...this.#places]
        .sort(([a], [b]) => a - b)
        .map(([place, { count, total }]) => ({ place, verdicts: count, mean: total / count })),
    };
  }
}

function addTo(sum: Sum, value: number): void {
  sum.count += 1;
  sum.total += value;
}
