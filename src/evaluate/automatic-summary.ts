/**
 * The figures of an automatic evaluation, from its rows: loss on held-out texts, checkable questions, and, where there is
 * a second model (before training, say), what changed and whether it forgot. By language; rights and wrongs over all
 * languages too, losses not, which of two languages cannot be averaged to anything.
 */
import { bootstrapMean, type Interval } from '../base/intervals.ts';
import type { ChoiceQuestion, ExactQuestion, MarkedAnswer, MarkedChoice } from './checkable.ts';
import type { Diversity } from './diversity.ts';
import {
  bitsPerByte,
  type LossDifference,
  type LossFigures,
  lossDifference,
  lossFigures,
  type TextLoss,
} from './perplexity.ts';
import { adjustForMany, comparePaired, inWords, type PairedComparison } from './statistics.ts';

/** A measurement on the model, and on the one it is held against, where there is one. */
export interface Both<T> {
  readonly model: T;
  readonly against?: T;
}

export interface LossRow extends Both<Omit<TextLoss, 'id'> & { readonly bitsPerByte: number }> {
  readonly id: string;
  readonly language: string;
}
export type ExactRow = ExactQuestion & Both<MarkedAnswer>;
export type ChoiceRow = ChoiceQuestion & Both<MarkedChoice>;

export interface AutomaticRows {
  readonly loss: readonly LossRow[];
  readonly exact: readonly ExactRow[];
  readonly choice: readonly ChoiceRow[];
}

export interface LossSummary extends Both<LossFigures> {
  readonly difference?: LossDifference;
}

/** Shares 0–1 of questions; `comparison` is the model's − that of the other. */
export interface CheckedSummary extends Both<Interval> {
  readonly n: number;
  /** What blind choice would have; undefined where there are no options. */
  readonly chance?: number;
  readonly comparison?: PairedComparison;
  readonly categories: Readonly<Record<string, { readonly n: number } & Both<number>>>;
}

/** By language, and `all`; empty without questions. */
export type CheckedByLanguage = Readonly<Record<string, CheckedSummary>>;

/** Of all languages together; `pHolm` is for the two measures, which are looked at together. */
export interface Forgetting {
  readonly measure: 'exact' | 'choice';
  readonly n: number;
  readonly difference: Interval;
  readonly p: number;
  readonly pHolm: number;
  /** Whether the model is worse: p below 0.05 after Holm. */
  readonly forgot: boolean;
  readonly words: string;
}

export interface AutomaticSummary extends Both<string> {
  /** Hash of the checkable questions and how they were put: figures of other ones are not to be compared. */
  readonly questions: string;
  /** By language; undefined where there was no file of texts. */
  readonly loss: Readonly<Record<string, LossSummary>> | undefined;
  /** Conversations left out, because one of the models has too few positions for them. */
  readonly tooLong: readonly string[];
  readonly exact: CheckedByLanguage;
  readonly contained: CheckedByLanguage;
  readonly choice: CheckedByLanguage;
  readonly choicePerByte: CheckedByLanguage;
  /** undefined where there is no second model. */
  readonly forgetting?: readonly Forgetting[];
  /** Of a file of answers; undefined without one. */
  readonly diversity?: readonly Diversity[];
}

export interface SummaryOptions extends Both<string> {
  readonly questions: string;
  readonly hasTexts: boolean;
  readonly tooLong: readonly string[];
  readonly diversity?: readonly Diversity[] | undefined;
}

export function summarizeAutomatic(rows: AutomaticRows, options: SummaryOptions): AutomaticSummary {
  const { model, against, questions, hasTexts, tooLong, diversity } = options;
  const exact = checked(rows.exact, (marked) => marked.exact);
  const choice = checked(rows.choice, (marked) => marked.right);
  return {
    model,
    ...(against !== undefined && { against }),
    questions,
    loss: hasTexts ? lossByLanguage(rows.loss) : undefined,
    tooLong,
    exact,
    contained: checked(rows.exact, (marked) => marked.contained),
    choice,
    choicePerByte: checked(rows.choice, (marked) => marked.rightPerByte),
    ...(against !== undefined && { forgetting: forgetting({ exact, choice }) }),
    ...(diversity && { diversity }),
  };
}

function lossByLanguage(rows: readonly LossRow[]): Record<string, LossSummary> {
  const languages = [...new Set(rows.map(({ language }) => language))].sort();
  return Object.fromEntries(
    languages.flatMap((language): [string, LossSummary][] => {
      const own = rows.filter((row) => row.language === language);
      const texts = own.map(({ id, model }) => ({ id, ...model }));
      const model = lossFigures(texts);
      if (!model) return [];
      const others = own.flatMap(({ id, against }) => (against ? [{ id, ...against }] : []));
      if (others.length === 0) return [[language, { model }]];
      return [[language, { model, against: lossFigures(others)!, difference: lossDifference(others, texts)! }]];
    }),
  );
}

type CheckedRow<T> = Both<T> & { language: string; category: string; options?: readonly string[] };

function checked<T>(rows: readonly CheckedRow<T>[], isRight: (marked: T) => boolean): CheckedByLanguage {
  if (rows.length === 0) return {};
  const languages = [...new Set(rows.map(({ language }) => language))].sort();
  const groups = [['all', rows], ...languages.map((one) => [one, rows.filter(({ language }) => language === one)])];
  return Object.fromEntries(
    (groups as [string, readonly CheckedRow<T>[]][]).map(([name, own]) => [name, checkedOf(own, isRight)]),
  );
}

function checkedOf<T>(rows: readonly CheckedRow<T>[], isRight: (marked: T) => boolean): CheckedSummary {
  const value = (marked: T) => Number(isRight(marked));
  const model = rows.map((row) => value(row.model));
  const against = rows.flatMap((row) => (row.against === undefined ? [] : [value(row.against)]));
  const chances = rows.flatMap(({ options }) => (options ? [1 / options.length] : []));
  const comparison = against.length === rows.length ? comparePaired(against, model) : undefined;
  return {
    n: rows.length,
    model: bootstrapMean(model)!,
    ...(comparison && { against: bootstrapMean(against)!, comparison }),
    ...(chances.length > 0 && { chance: meanOf(chances) }),
    categories: Object.fromEntries(
      [...new Set(rows.map(({ category }) => category))].sort().map((category) => {
        const places = [...rows.keys()].filter((i) => rows[i]!.category === category);
        const shareOf = (values: readonly number[]) => meanOf(places.map((i) => values[i]!));
        return [
          category,
          { n: places.length, model: shareOf(model), ...(comparison && { against: shareOf(against) }) },
        ];
      }),
    ),
  };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function forgetting(measured: Readonly<Record<'exact' | 'choice', CheckedByLanguage>>): Forgetting[] {
  const compared = (['exact', 'choice'] as const).flatMap((measure) => {
    const comparison = measured[measure]['all']?.comparison;
    return comparison ? [{ measure, comparison }] : [];
  });
  const adjusted = adjustForMany(compared.map(({ comparison }) => comparison.p));
  return compared.map(({ measure, comparison }, i) => {
    const { n, difference, p } = comparison;
    const pHolm = adjusted[i]!.holm;
    const write = (value: number) => `${(100 * value).toFixed(1)} points`;
    const words = inWords(comparison, { first: 'the model it is held against', second: 'the model', p: pHolm, write });
    return { measure, n, difference, p, pHolm, forgot: pHolm < 0.05 && difference.mean < 0, words };
  });
}

/** A loss as a row keeps it. */
export const lossCell = (loss: TextLoss): LossRow['model'] => {
  const { nats, tokens, bytes } = loss;
  return { nats, tokens, bytes, bitsPerByte: bitsPerByte(loss) };
};
