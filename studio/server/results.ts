/** A study's votes, summed up or written to a file. Reads beside a running server. */
import { extname } from 'node:path';
import { writeFileAtomic } from '../../src/base/atomic.ts';
import { ConfigError } from '../../src/base/errors.ts';
import { toJsonl } from '../../src/base/jsonl.ts';
import {
  agreementWithJudge,
  type JudgeAgreement,
  type PeopleSummary,
  type PeopleVote,
  summarizePeople,
} from '../../src/evaluate/people.ts';
import { exportedRow, votesToCsv } from '../../src/evaluate/people-export.ts';
import { readJudgeVerdicts } from '../../src/evaluate/people-judge.ts';
import { StudyStore } from './store.ts';

export interface PeopleResults extends PeopleSummary {
  /** Items of the study, voted on or not. */
  readonly asked: number;
  readonly ratersPerItem: number;
  readonly leftOut: readonly string[];
  /** Absent where no judge's rows were given. */
  readonly judge?: readonly JudgeAgreement[];
}

export interface ResultsOptions {
  /** A file of the judge's rows. */
  readonly judge?: string | undefined;
  readonly leaveOut?: readonly string[];
}

/** Throws ConfigError for a rater to be left out that there is not. */
export function peopleResults(folder: string, { judge, leaveOut = [] }: ResultsOptions = {}): PeopleResults {
  const store = new StudyStore(folder);
  try {
    const unknown = leaveOut.filter((name) => !store.hasRater(name));
    if (unknown.length > 0) {
      throw new ConfigError(`--leave-out: no rater is called ${unknown.join(', ')}`, {
        hint: `raters of this study: ${store.raters().join(', ') || 'none yet'}`,
      });
    }
    const votes = store.votes().filter(({ rater }) => !leaveOut.includes(rater));
    const items = store.items();
    return {
      asked: items.length,
      ratersPerItem: store.settings()?.ratersPerItem ?? 0,
      leftOut: leaveOut,
      ...summarizePeople(votes),
      ...(judge !== undefined && { judge: agreementWithJudge(votes, readJudgeVerdicts(judge, items)) }),
    };
  } finally {
    store.close();
  }
}

/** Returns how many rows it wrote. */
export function exportVotes(folder: string, file: string, options: { readonly attention: boolean }): number {
  const write: ((votes: readonly PeopleVote[]) => string) | undefined = {
    '.csv': votesToCsv,
    '.jsonl': (votes: readonly PeopleVote[]) => toJsonl(votes.map(exportedRow)),
  }[extname(file)];
  if (write === undefined) {
    throw new ConfigError(`--out: expected a name ending in .csv or .jsonl, got ${file}`);
  }
  const store = new StudyStore(folder);
  try {
    const votes = store.votes().filter(({ attention }) => options.attention || !attention);
    writeFileAtomic(file, write(votes));
    return votes.length;
  } finally {
    store.close();
  }
}
