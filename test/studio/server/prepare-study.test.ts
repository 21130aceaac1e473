import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import { agreementByCriterion, readVotes } from '../../../src/evaluate/agreement.ts';
import { readAttentionChecks } from '../../../studio/server/attention-checks.ts';
import { inviteRaters } from '../../../studio/server/invite.ts';
import { prepareStudy } from '../../../studio/server/prepare-study.ts';
import { exportVotes, peopleResults } from '../../../studio/server/results.ts';
import { StudyStore } from '../../../studio/server/store.ts';
import { openSecret, readToken } from '../../../studio/server/tokens.ts';
import { expectComparison, makeItems, makeStudy, voteFor } from './study.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-prepare-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const newFolder = () => join(mkdtempSync(join(scratch, 'study-')), 'people');

describe('prepareStudy', () => {
  it('makes a study that nobody else may read, and finds it again', () => {
    const folder = newFolder();
    const made = prepareStudy(folder, makeItems(5), { ratersPerItem: 2 });
    expect(made).toEqual({
      items: 5,
      pairs: 1,
      checks: 12,
      settings: { ratersPerItem: 2, itemsPerRater: null, checks: { seed: 1, share: 0.1 } },
    });
    expect(statSync(folder).mode & 0o077).toBe(0);
    expect(statSync(join(folder, 'study.sqlite')).mode & 0o077).toBe(0);
    expect(prepareStudy(folder, undefined, {})).toEqual(made);
    expect(prepareStudy(folder, makeItems(5), { ratersPerItem: 2, checkShare: 0.1 })).toEqual(made);
  });

  it('keeps what was decided: other items, other settings and missing items are refused', () => {
    const folder = newFolder();
    prepareStudy(folder, makeItems(5), {});
    expect(() => prepareStudy(folder, makeItems(6), {})).toThrow(/was made of other items \(5, now 6\)/);
    const changed = makeItems(5).map((item, i) => (i === 3 ? { ...item, answerB: 'else' } : item));
    expect(() => prepareStudy(folder, changed, {})).toThrow(ConfigError);
    expect(() => prepareStudy(folder, undefined, { ratersPerItem: 2 })).toThrow(/raters per item: 3/);
    expect(() => prepareStudy(folder, undefined, { itemsPerRater: 10 })).toThrow(/items per rater: no limit/);
    expect(() => prepareStudy(newFolder(), undefined, {})).toThrow(/no study in/);
    expect(() => prepareStudy(newFolder(), makeItems(1), { checkShare: 0.6 })).toThrow(/a share from 0 to 0.5/);
  });

  it('has no attention checks where none are wanted', () => {
    expect(prepareStudy(newFolder(), makeItems(1), { checkShare: 0 }).checks).toBe(0);
  });
});

it('attention checks are of our own, each with an answer that is sound and one that is not, in the study’s languages', () => {
  const all = readAttentionChecks(['en', 'zh']);
  expect(all).toHaveLength(24);
  expect(new Set(all.flatMap(({ question, good, other }) => [question, good, other])).size).toBe(72);
  expect(readAttentionChecks(['zh']).every(({ language }) => language === 'zh')).toBe(true);
  expect(readAttentionChecks(['de'])).toEqual(readAttentionChecks(['en']));
});

describe('inviteRaters', () => {
  it('gives a link to each, good for so many days, also before the server runs where its address is given', () => {
    const folder = newFolder();
    prepareStudy(folder, makeItems(1), {});
    expect(() => inviteRaters(folder, { raters: ['anna'], days: 1 })).toThrow(/was not served yet/);
    const [anna, bo] = inviteRaters(folder, { raters: ['anna', 'bo'], days: 2, url: 'https://rate.example/' });
    expect([anna?.rater, bo?.rater]).toEqual(['anna', 'bo']);
    const token = /^https:\/\/rate\.example\/#(.+)$/.exec(anna!.link)?.[1] as string;
    const read = readToken(openSecret(folder), token, Date.now());
    expect(read).toMatchObject({ rater: 'anna' });
    expect(Math.abs((read as { expiresAtMs: number }).expiresAtMs - Date.now() - 2 * 86_400_000)).toBeLessThan(60_000);
  });

  it.each(['', ' anna', 'a\nb', 'x'.repeat(65)])('refuses a name that is none: %j', (name) => {
    const folder = newFolder();
    prepareStudy(folder, makeItems(1), {});
    expect(() => inviteRaters(folder, { raters: [name], days: 1, url: 'http://x' })).toThrow(ConfigError);
  });
});

describe('results and export', () => {
  const folder = newFolder();
  const store = makeStudy(folder, { items: 6, ratersPerItem: 2, share: 0.5, raters: ['anna', 'bo'] });
  for (const rater of ['anna', 'bo']) {
    for (let next = store.next(rater, 0); next.kind === 'comparison'; next = store.next(rater, 0)) {
      const { id, left } = expectComparison(next);
      // Anna likes the first model and sees through every check; Bo clicks left.
      const side = rater === 'bo' || /^(first|good)/.test(left) ? 'left' : 'right';
      store.vote(rater, id, voteFor(side, rater === 'bo' ? 'fine' : ''), 5000);
    }
  }
  store.close();

  it('tell of models and of raters', () => {
    const results = peopleResults(folder);
    expect(results).toMatchObject({ asked: 6, items: 6, raters: 2, ratersPerItem: 2, votes: 36, comments: 6 });
    const helpful = results.pairs[0]!.criteria.find(({ criterion }) => criterion === 'helpful')!;
    expect(helpful.win.count).toBeGreaterThanOrEqual(6);
    expect(helpful.votes).toBe(12);
    expect(results.raterQuality.find(({ rater }) => rater === 'anna')).toMatchObject({ checks: 3, checksPassed: 3 });
    expect(results.raterQuality.map(({ medianSeconds }) => medianSeconds)).toEqual([5, 5]);
    expect(results).not.toHaveProperty('judge');
  });

  it('leave out whom they are told to', () => {
    const results = peopleResults(folder, { leaveOut: ['bo'] });
    expect(results).toMatchObject({ raters: 1, votes: 18, leftOut: ['bo'] });
    expect(results.pairs[0]!.criteria.find(({ criterion }) => criterion === 'helpful')?.win.percent).toBe(100);
    expect(() => peopleResults(folder, { leaveOut: ['zoe'] })).toThrow(/no rater is called zoe/);
  });

  it('are written so that `evaluate agreement` says the same; attention checks on demand', () => {
    const file = join(scratch, 'votes.jsonl');
    expect(exportVotes(folder, file, { attention: false })).toBe(36);
    expect(agreementByCriterion(readVotes(file))).toEqual(peopleResults(folder).pairs[0]!.agreement);
    expect(exportVotes(folder, file, { attention: true })).toBe(54);
    const csv = join(scratch, 'votes.csv');
    exportVotes(folder, csv, { attention: true });
    expect(readFileSync(csv, 'utf8').trim().split('\r\n')).toHaveLength(55);
    expect(() => exportVotes(folder, join(scratch, 'votes.xls'), { attention: false })).toThrow(ConfigError);
  });

  it('are read beside a store that is open', () => {
    const open = new StudyStore(folder);
    expect(peopleResults(folder).votes).toBe(36);
    open.close();
  });
});
