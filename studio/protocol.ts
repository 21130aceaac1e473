/**
 * What the rating page and its server say to each other. Both sides import this file and nothing of one another.
 * No type here can carry a model's name, an item's own id or whether a comparison is an attention check: what a rater's
 * browser never gets, it cannot show.
 */

/** Askell et al. 2021, "A General Language Assistant as a Laboratory for Alignment" (arXiv 2112.00861), section 1. */
export const criteria = ['helpful', 'honest', 'harmless'] as const;
export type Criterion = (typeof criteria)[number];

/** Which answer is better, by where it stands on the page. */
export const sides = ['left', 'same', 'right'] as const;
export type Side = (typeof sides)[number];

export type Choices = Readonly<Record<Criterion, Side>>;

export interface Progress {
  /** Comparisons this rater has voted on. */
  readonly done: number;
  /** Those and what is left for this rater; may shrink while others work on the same items. */
  readonly total: number;
}

/** A rater's own vote as it is stored. */
export interface Vote {
  readonly choices: Choices;
  readonly comment: string;
  /** Time the comparison was in view, in seconds. */
  readonly seconds: number;
}

export interface Comparison {
  /** Says nothing: random. */
  readonly id: string;
  /** Its place in this rater's own row, from 1. */
  readonly position: number;
  /** ISO 639-1, of the question and its answers; empty where it is not known. */
  readonly language: string;
  readonly question: string;
  readonly left: string;
  readonly right: string;
  /** null while there is none. */
  readonly vote: Vote | null;
  /** The rater's comparison before this one; null at the first. */
  readonly previous: string | null;
  /** The one after it; null at the latest. */
  readonly next: string | null;
}

/** POST api/next: the comparison to be voted on now, given again until it is. */
export type NextAnswer =
  | { readonly kind: 'comparison'; readonly comparison: Comparison; readonly progress: Progress }
  /** `held`: comparisons that other raters are at just now, and that may come back. */
  | { readonly kind: 'finished'; readonly last: string | null; readonly held: number; readonly progress: Progress };

/** GET api/comparisons/ID */
export interface ComparisonAnswer {
  readonly comparison: Comparison;
}

/** PUT api/comparisons/ID/vote: sent only when the vote is on the disk. */
export interface StoredAnswer {
  readonly stored: true;
}

/** Why a request was refused. `expired` and `forged` are about the link; the rest no rater meets who uses the page. */
export type RefusalCode =
  | 'expired'
  | 'forged'
  | 'foreign-host'
  | 'cross-site'
  | 'not-yours'
  | 'bad-vote'
  | 'too-large'
  | 'not-found'
  | 'not-stored';

export interface Refusal {
  readonly refused: RefusalCode;
}

export const maxCommentLength = 4000;
/** A vote with the longest comment in any script is a fifth of it. */
export const maxBodyBytes = 64 * 1024;
/** On every request to api/: a form or a script of another site cannot send it without asking first. */
export const clientHeader = 'x-understudy-people';
