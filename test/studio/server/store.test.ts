import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import { Rng } from '../../../src/base/rng.ts';
import { StudyStore } from '../../../studio/server/store.ts';
import { expectComparison, makeStudy, voteFor } from './study.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-store-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const folder = () => mkdtempSync(join(scratch, 'study-'));

const hourMs = 60 * 60 * 1000;

describe('assignment', () => {
  it('gives each item to so many raters, its orders and each rater’s orders in balance, whoever comes when', () => {
    for (const [seed, { ratersPerItem, raters }] of [
      { ratersPerItem: 2, raters: 2 },
      { ratersPerItem: 3, raters: 7 },
      { ratersPerItem: 4, raters: 5 },
    ].entries()) {
      const names = Array.from({ length: raters }, (_, i) => `rater-${i}`);
      const place = folder();
      const store = makeStudy(place, { items: 30, ratersPerItem, raters: names, share: 0.1 });
      const rng = new Rng('interleaving', seed);
      let left = [...names];
      while (left.length > 0) {
        const rater = left[rng.int(left.length)] as string;
        const next = store.next(rater, 0);
        if (next.kind === 'finished') left = left.filter((name) => name !== rater);
        else store.vote(rater, next.comparison.id, voteFor('same'), 0);
      }
      const votes = store.votes().filter(({ attention, criterion }) => !attention && criterion === 'helpful');
      expect(votes).toHaveLength(30 * ratersPerItem);
      const lead = (some: typeof votes) => some.reduce((sum, { order }) => sum + (order === 'AB' ? 1 : -1), 0);
      for (const item of new Set(votes.map((vote) => vote.item))) {
        const own = votes.filter((vote) => vote.item === item);
        expect(new Set(own.map(({ rater }) => rater)).size).toBe(ratersPerItem);
        expect(Math.abs(lead(own))).toBeLessThanOrEqual(1);
      }
      for (const rater of names) {
        const all = store.votes().filter((vote) => vote.rater === rater && vote.criterion === 'helpful');
        expect(Math.abs(lead(all)), rater).toBeLessThanOrEqual(3);
      }
      store.close();
    }
  });

  it('offers the same comparison until there is a vote on it, also after the file was opened anew', () => {
    const place = folder();
    const store = makeStudy(place, { items: 3, ratersPerItem: 2, raters: ['anna'] });
    const first = expectComparison(store.next('anna', 0));
    expect(expectComparison(store.next('anna', 1))).toEqual(first);
    store.close();
    const again = new StudyStore(place);
    expect(expectComparison(again.next('anna', 2))).toEqual(first);
    again.vote('anna', first.id, voteFor('left'), 3);
    const second = expectComparison(again.next('anna', 4));
    expect(second).toMatchObject({ position: 2, previous: first.id, next: null, vote: null });
    expect(again.comparison('anna', first.id)).toMatchObject({
      next: second.id,
      vote: { choices: { helpful: 'left' } },
    });
    again.close();
  });

  it('says how far a rater is, and ends where nothing is left', () => {
    const store = makeStudy(folder(), { items: 3, ratersPerItem: 1, raters: ['anna', 'bo'] });
    const one = store.next('anna', 0);
    expect(one.progress).toEqual({ done: 0, total: 3 });
    const other = store.next('bo', 0);
    expect(other.progress).toEqual({ done: 0, total: 2 });
    for (let i = 0; i < 2; i++) {
      const { id } = expectComparison(store.next('anna', 0));
      store.vote('anna', id, voteFor('left'), 0);
    }
    // The third is in Bo's hands: it may come back, and after an hour it does.
    const waiting = store.next('anna', hourMs / 2);
    expect(waiting).toMatchObject({ kind: 'finished', held: 1, progress: { done: 2, total: 2 } });
    const third = expectComparison(store.next('anna', hourMs));
    store.vote('anna', third.id, voteFor('left'), hourMs);
    expect(store.next('anna', hourMs)).toMatchObject({ kind: 'finished', held: 0, last: third.id });
    // Bo has left his for too long and it is done: he is not asked again.
    expect(store.next('bo', 2 * hourMs)).toMatchObject({
      kind: 'finished',
      last: null,
      progress: { done: 0, total: 0 },
    });
    store.close();
  });

  it('holds an item anew for a rater who comes back to it', () => {
    const store = makeStudy(folder(), { items: 1, ratersPerItem: 1, raters: ['anna', 'bo'] });
    const first = expectComparison(store.next('anna', 0));
    expect(expectComparison(store.next('anna', 2 * hourMs))).toEqual(first);
    expect(store.next('bo', 2.5 * hourMs)).toMatchObject({ kind: 'finished', held: 1 });
    store.close();
  });

  it('keeps to the limit of a rater, attention checks included', () => {
    const store = makeStudy(folder(), { items: 30, ratersPerItem: 1, itemsPerRater: 10, share: 0.2, raters: ['anna'] });
    let shown = 0;
    for (let next = store.next('anna', 0); next.kind === 'comparison'; next = store.next('anna', 0)) {
      expect(next.progress).toEqual({ done: shown, total: 10 });
      store.vote('anna', next.comparison.id, voteFor('left'), 0);
      shown += 1;
    }
    expect(shown).toBe(10);
    expect(store.votes().filter(({ attention, criterion }) => attention && criterion === 'helpful')).toHaveLength(2);
    store.close();
  });
});

describe('votes', () => {
  it('are told from the first model’s side, whichever stood left', () => {
    const store = makeStudy(folder(), { items: 20, ratersPerItem: 1, raters: ['anna'] });
    const expected = new Map<string, string>();
    for (let next = store.next('anna', 0); next.kind === 'comparison'; next = store.next('anna', 0)) {
      const { id, left, question } = next.comparison;
      const side = (['left', 'same', 'right'] as const)[next.comparison.position % 3]!;
      const firstIsLeft = left.startsWith('first');
      expected.set(question, side === 'same' ? 'tie' : (side === 'left') === firstIsLeft ? 'win' : 'lose');
      store.vote('anna', id, voteFor(side), 0);
    }
    expect(expected.size).toBe(20);
    for (const { item, choice, order, modelA, modelB } of store
      .votes()
      .filter((vote) => vote.criterion === 'helpful')) {
      expect(choice).toBe(expected.get(`Question ${item.slice(1)}?`));
      expect([modelA, modelB]).toEqual(['model-one', 'model-two']);
      expect(['AB', 'BA']).toContain(order);
    }
    store.close();
  });

  it('may be changed by their rater: the last counts, the earlier ones stay; the same again is no new one', () => {
    const place = folder();
    const store = makeStudy(place, { items: 2, ratersPerItem: 1, raters: ['anna'] });
    const { id } = expectComparison(store.next('anna', 0));
    for (const side of ['left', 'left', 'right'] as const)
      expect(store.vote('anna', id, voteFor(side), 9000)).toBe(true);
    expect(store.comparison('anna', id)?.vote?.choices.helpful).toBe('right');
    expect(store.votes()).toHaveLength(3);
    store.close();
    const database = new Database(join(place, 'study.sqlite'));
    const versions = database.prepare('SELECT helpful FROM votes ORDER BY version').all() as { helpful: string }[];
    expect(versions.map(({ helpful }) => helpful)).toEqual(['left', 'right']);
    expect(() => database.exec("UPDATE votes SET helpful = 'same'")).toThrow(/never changed/);
    expect(() => database.exec('DELETE FROM votes')).toThrow(/never deleted/);
    database.close();
  });

  it('take no longer than it was since the comparison was shown', () => {
    const store = makeStudy(folder(), { items: 1, ratersPerItem: 1, raters: ['anna'] });
    const { id } = expectComparison(store.next('anna', 1000));
    store.vote('anna', id, { ...voteFor('left'), seconds: 60 }, 3500);
    expect(store.votes()[0]?.seconds).toBe(2.5);
    store.close();
  });

  it('are no other rater’s to see or to give', () => {
    const store = makeStudy(folder(), { items: 2, ratersPerItem: 2, raters: ['anna', 'bo'] });
    const { id } = expectComparison(store.next('anna', 0));
    expect(store.comparison('bo', id)).toBeUndefined();
    expect(store.vote('bo', id, voteFor('left'), 0)).toBe(false);
    expect(store.votes()).toEqual([]);
    store.close();
  });

  it('of an attention check have no models, and `win` where the good answer was chosen', () => {
    const store = makeStudy(folder(), { items: 12, ratersPerItem: 1, share: 0.5, raters: ['anna'] });
    for (let next = store.next('anna', 0); next.kind === 'comparison'; next = store.next('anna', 0)) {
      const { id, left, right } = next.comparison;
      const side = left.startsWith('good') ? 'left' : right.startsWith('good') ? 'right' : 'same';
      store.vote('anna', id, voteFor(side), 0);
    }
    const found = store.votes().filter(({ attention, criterion }) => attention && criterion === 'helpful');
    expect(found).toHaveLength(3);
    for (const vote of found) expect(vote).toMatchObject({ choice: 'win', modelA: null, modelB: null });
    store.close();
  });
});

describe('the file', () => {
  it('must be there, and a study', () => {
    expect(() => new StudyStore(folder())).toThrow(ConfigError);
    const place = folder();
    const other = new Database(join(place, 'study.sqlite'));
    other.exec('CREATE TABLE something (a)');
    other.close();
    expect(() => new StudyStore(place)).toThrow(/expected a study of schema 1/);
  });
});
