/**
 * What people's votes come to: how often each model's answer was found better, by criterion; how far raters agree; how
 * much each rater can be relied on; and whether people agree with the judge. Votes on attention checks tell of raters
 * alone and are in no figure about models. It takes votes as they are: whom to leave out is the caller's to say.
 */
import { bootstrapMean } from '../base/intervals.ts';
import { agreementByCriterion, type Coefficient, type CriterionAgreement, fleissKappa } from './agreement.ts';

/** From model A's side: `win` where its answer is the better one. */
export type PeopleChoice = 'win' | 'tie' | 'lose';
export const peopleChoices: readonly PeopleChoice[] = ['win', 'tie', 'lose'];

/** One rater's vote on one item by one criterion. */
export interface PeopleVote {
  readonly item: string;
  readonly rater: string;
  readonly criterion: string;
  readonly choice: PeopleChoice;
  /** null on an attention check, where the better answer stands for model A. */
  readonly modelA: string | null;
  readonly modelB: string | null;
  /** The whole comparison was in view for so long: the same number at each of its criteria. */
  readonly seconds: number;
  /** Whose answer stood left, then right. */
  readonly order: 'AB' | 'BA';
  readonly comment: string;
  readonly attention: boolean;
}

/** A share of something counted, in percent, with its 95 % interval by bootstrap over items. */
export interface Percentage {
  readonly count: number;
  readonly percent: number;
  readonly low: number;
  readonly high: number;
}

export interface CriterionResult extends Readonly<Record<PeopleChoice, Percentage>> {
  readonly criterion: string;
  /** The denominator of the percentages. */
  readonly votes: number;
  readonly items: number;
}

export interface PairResult {
  readonly modelA: string;
  readonly modelB: string;
  readonly items: number;
  readonly criteria: readonly CriterionResult[];
  /** Over this pair's votes. */
  readonly agreement: readonly CriterionAgreement[];
}

export interface RaterQuality {
  readonly rater: string;
  /** Items voted on, attention checks left out. */
  readonly items: number;
  readonly checks: number;
  /** Attention checks where the good answer was called the more helpful one. */
  readonly checksPassed: number;
  /** Seconds a comparison, checks included. */
  readonly medianSeconds: number | null;
  /** Votes on items where the other raters have a majority (one choice with more votes than any other). */
  readonly compared: number;
  /** Of those, votes that are that majority's. */
  readonly withMajority: number;
}

export interface PeopleSummary {
  readonly items: number;
  readonly raters: number;
  /** Votes on items, one a criterion; attention checks left out. */
  readonly votes: number;
  readonly comments: number;
  readonly pairs: readonly PairResult[];
  readonly raterQuality: readonly RaterQuality[];
  /** Of the votes that are no tie, those for the answer that stood left; 50 where the place has no say. */
  readonly left: (Percentage & { readonly decided: number }) | null;
}

/** By criterion: the choice of most raters against the judge's verdict on the same item. */
export interface JudgeAgreement {
  readonly criterion: string;
  /** Items with both a majority and a verdict: the denominator of `agreed`. */
  readonly items: number;
  readonly agreed: Percentage | null;
  /** Fleiss' κ of two raters, people's majority and the judge (with two raters it is Scott's π). */
  readonly kappa: Coefficient;
  /** Items whose votes have no majority; items with votes that the judge has no verdict on. */
  readonly withoutMajority: number;
  readonly withoutVerdict: number;
}

export function summarizePeople(votes: readonly PeopleVote[]): PeopleSummary {
  const own = votes.filter(({ attention }) => !attention);
  const pairs = grouped(own, ({ modelA, modelB }) => JSON.stringify([modelA, modelB]));
  return {
    items: new Set(own.map(({ item }) => item)).size,
    raters: new Set(votes.map(({ rater }) => rater)).size,
    votes: own.length,
    comments: new Set(own.filter(({ comment }) => comment !== '').map(comparisonOf)).size,
    pairs: [...pairs.values()].map(summarizePair),
    raterQuality: raterQuality(votes),
    left: leftShare(own),
  };
}

function summarizePair(votes: readonly PeopleVote[]): PairResult {
  const { modelA, modelB } = votes[0]!;
  return {
    modelA: modelA ?? '',
    modelB: modelB ?? '',
    items: new Set(votes.map(({ item }) => item)).size,
    criteria: [...grouped(votes, ({ criterion }) => criterion)].map(([criterion, ofCriterion]) => {
      const items = [...grouped(ofCriterion, ({ item }) => item).values()];
      const ofChoice = (choice: PeopleChoice) => percentage(items, (vote) => vote.choice === choice)!;
      return {
        criterion,
        votes: ofCriterion.length,
        items: items.length,
        win: ofChoice('win'),
        tie: ofChoice('tie'),
        lose: ofChoice('lose'),
      };
    }),
    agreement: agreementByCriterion(votes),
  };
}

/** Of all votes; items are drawn whole, since votes on one item are not independent. undefined for no votes. */
function percentage(
  items: readonly (readonly PeopleVote[])[],
  counts: (vote: PeopleVote) => boolean,
): Percentage | undefined {
  const hits = items.map((votes) => votes.filter(counts).length);
  const interval = bootstrapMean(
    hits.map((count, i) => count / items[i]!.length),
    { weights: items.map(({ length }) => length) },
  );
  if (interval === undefined) return undefined;
  const count = hits.reduce((sum, one) => sum + one, 0);
  return { count, percent: 100 * interval.mean, low: 100 * interval.low, high: 100 * interval.high };
}

function leftShare(votes: readonly PeopleVote[]): PeopleSummary['left'] {
  const decided = votes.filter(({ choice }) => choice !== 'tie');
  const items = [...grouped(decided, ({ item }) => item).values()];
  const share = percentage(items, ({ choice, order }) => (choice === 'win') === (order === 'AB'));
  return share === undefined ? null : { ...share, decided: decided.length };
}

function raterQuality(votes: readonly PeopleVote[]): RaterQuality[] {
  const own = votes.filter(({ attention }) => !attention);
  const byQuestion = grouped(own, ({ item, criterion }) => JSON.stringify([item, criterion]));
  return [...grouped(votes, ({ rater }) => rater)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([rater, ofRater]) => {
      const checks = ofRater.filter(({ attention, criterion }) => attention && criterion === 'helpful');
      const compared = ofRater.flatMap((vote) => {
        if (vote.attention) return [];
        const all = byQuestion.get(JSON.stringify([vote.item, vote.criterion]))!;
        const others = majority(all.filter((other) => other.rater !== rater).map(({ choice }) => choice));
        return others === undefined ? [] : [others === vote.choice];
      });
      const seconds = new Map(ofRater.map((vote) => [comparisonOf(vote), vote.seconds]));
      return {
        rater,
        items: new Set(ofRater.filter(({ attention }) => !attention).map(({ item }) => item)).size,
        checks: checks.length,
        checksPassed: checks.filter(({ choice }) => choice === 'win').length,
        medianSeconds: median([...seconds.values()]),
        compared: compared.length,
        withMajority: compared.filter(Boolean).length,
      };
    });
}

/** `verdicts`: the judge's, by item. */
export function agreementWithJudge(
  votes: readonly PeopleVote[],
  verdicts: ReadonlyMap<string, PeopleChoice>,
): JudgeAgreement[] {
  const own = votes.filter(({ attention }) => !attention);
  return [...grouped(own, ({ criterion }) => criterion)].map(([criterion, ofCriterion]) => {
    const items = [...grouped(ofCriterion, ({ item }) => item)];
    const judged = items.filter(([item]) => verdicts.has(item));
    const pairs = judged.flatMap(([item, ofItem]) => {
      const people = majority(ofItem.map(({ choice }) => choice));
      return people === undefined ? [] : [[people, verdicts.get(item)!] as const];
    });
    const agreed = bootstrapMean(pairs.map(([people, judge]) => (people === judge ? 100 : 0)));
    return {
      criterion,
      items: pairs.length,
      agreed:
        agreed === undefined
          ? null
          : {
              count: pairs.filter(([people, judge]) => people === judge).length,
              percent: agreed.mean,
              low: agreed.low,
              high: agreed.high,
            },
      kappa: pairs.length > 0 ? fleissKappa(pairs) : { value: null, low: null, high: null, reason: 'no item has both' },
      withoutMajority: judged.length - pairs.length,
      withoutVerdict: items.length - judged.length,
    };
  });
}

/** The choice that has more votes than any other; undefined where two share that place, or there are no votes. */
export function majority(choices: readonly PeopleChoice[]): PeopleChoice | undefined {
  const counts = peopleChoices
    .map((choice) => ({ choice, count: choices.filter((one) => one === choice).length }))
    .sort((a, b) => b.count - a.count);
  return counts[0]!.count > counts[1]!.count ? counts[0]!.choice : undefined;
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const half = sorted.length / 2;
  return Number.isInteger(half) ? (sorted[half - 1]! + sorted[half]!) / 2 : sorted[Math.floor(half)]!;
}

const comparisonOf = ({ item, rater }: PeopleVote): string => JSON.stringify([item, rater]);

export function grouped<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group) group.push(one);
    else groups.set(keyOf(one), [one]);
  }
  return groups;
}
