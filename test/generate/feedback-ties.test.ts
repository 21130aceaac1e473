/** Ties put to the teacher again, two at a time, and ranks worked by hand. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TeacherError } from '../../src/base/errors.ts';
import { preferencePairs } from '../../src/data/preferences.ts';
import type { ScoredCandidate, ScoredGroup } from '../../src/generate/feedback.ts';
import { type Duel, rankAnswers, settleTies, tiedTwos } from '../../src/generate/feedback-ties.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import type { TeacherAnswer } from '../../src/teacher/teacher.ts';
import { answer, fakeTeacher, temporaryFolder } from '../teacher/fixtures/make.ts';

let ledger: Ledger;
beforeEach(() => {
  ledger = new Ledger(join(temporaryFolder(), 'ledger.sqlite'));
});
afterEach(() => ledger.close());

const scored = (content: string, ...scores: number[]): ScoredCandidate => ({
  ...{ content, source: `writer of ${content}`, calls: [] },
  verdicts: scores.map((score, i) => ({ score, reason: `${content} ${i}`, call: 'k', place: i + 1 })),
  ...(scores.length === 0
    ? { problem: 'unreadable' }
    : { score: scores.reduce((sum, one) => sum + one, 0) / scores.length }),
});
const group = (id: string, candidates: readonly ScoredCandidate[], language = 'en'): ScoredGroup => ({
  ...{ id, language, file: 'f', row: 1, candidates, calls: [], requests: 1, unread: [] },
  prompt: [{ role: 'user', content: `About ${id}?` }],
});

/** The two answers of a prompt, in the order shown. */
const shownIn = (prompt: string): [string, string] =>
  [...prompt.matchAll(/^(?:Answer |回答)[AB][:：]\n<<< (\w+)\n([\s\S]*?)\n>>> \1$/gm)].map((match) => match[2]) as [
    string,
    string,
  ];

const judge = (reply: (first: string, second: string, asking: number) => string | TeacherAnswer | TeacherError) => {
  const said = new Map<string, number>();
  return fakeTeacher({
    reply: async ({ messages }) => {
      const [first, second] = shownIn(messages[0]?.content as string);
      const key = `${first}|${second}`;
      said.set(key, (said.get(key) ?? 0) + 1);
      const found = reply(first, second, (said.get(key) as number) - 1);
      return typeof found === 'string' ? answer(found) : found;
    },
  });
};

async function settle(groups: readonly ScoredGroup[], teacher: ReturnType<typeof judge>) {
  const total = groups.reduce((sum, { candidates }) => sum + tiedTwos(candidates).length, 0);
  const ask = { teacher, ledger, stage: 'ties', retry: { attempts: 1 } };
  const found: { readonly group: ScoredGroup; readonly duels: readonly Duel[] }[] = [];
  for await (const one of settleTies(() => groups, total, { maxTokens: 64 }, ask)) found.push(one);
  return found;
}
const results = (found: Awaited<ReturnType<typeof settle>>) =>
  found.map(({ duels }) => duels.map(({ places, result }) => [...places, result]));

/** Prefers what comes first in the alphabet. */
const alphabetical = (first: string, second: string) => `Clear.\n[[${first < second ? 'A' : 'B'}]]`;

describe('settleTies', () => {
  it('asks about tied twos alone, in both orders, and nothing of who wrote them', async () => {
    const groups = [
      group('rivers', [scored('a', 9), scored('b', 7), scored('c', 9), scored('d', 9), scored('e')]),
      group('lakes', [scored('a', 9), scored('b', 7)]),
      group('seas', [scored('y', 8, 9), scored('x', 9, 8)]),
    ];
    const teacher = judge(alphabetical);
    const found = await settle(groups, teacher);
    expect(results(found)).toEqual([
      [
        [0, 2, 'first'],
        [0, 3, 'first'],
        [2, 3, 'first'],
      ],
      [],
      [[0, 1, 'second']],
    ]);
    expect(found.map((one) => one.group)).toEqual(groups);
    const asked = teacher.asked.map(([prompt]) => shownIn(prompt as string).join(''));
    expect(asked).toEqual(['ac', 'ca', 'ad', 'da', 'cd', 'dc', 'yx', 'xy']);
    for (const [prompt] of teacher.asked) expect(prompt).not.toContain('writer');
    expect(found[0]?.duels.flatMap(({ calls }) => calls)).toHaveLength(6);
  });

  it('disagreement, one-sided or whole, stays a tie', async () => {
    const two = [scored('a', 9), scored('b', 9)];
    const first = judge(() => '[[A]]');
    expect(results(await settle([group('r', two)], first))).toEqual([[[0, 1, 'disagree']]]);
    const tie = judge(() => '[[C]]');
    expect(results(await settle([group('s', two)], tie))).toEqual([[[0, 1, 'tie']]]);
    const half = judge((one) => (one === 'a' ? '[[A]]' : '[[C]]'));
    expect(results(await settle([group('t', two)], half))).toEqual([[[0, 1, 'disagree']]]);
  });

  it('what cannot be read is asked for again, in its language; then it is kept, and the tie with it', async () => {
    const two = [scored('a', 9), scored('b', 9)];
    const late = judge((one, other, asking) => (asking === 0 ? 'Hm.' : alphabetical(one, other)));
    const found = await settle([group('河', two, 'zh')], late);
    expect(results(found)).toEqual([[[0, 1, 'first']]]);
    const [forth] = [found[0]?.duels[0]?.calls as readonly string[]];
    expect(forth).toHaveLength(4);
    expect(ledger.lookup(forth!).get(forth![1]!)?.request.messages.at(-1)?.content).toMatch(/^从这个答复里读不出/);
    const never = await settle(
      [group('r', two)],
      judge((one, other) => (one === 'a' ? alphabetical(one, other) : 'Hm.')),
    );
    expect(never[0]?.duels).toMatchObject([{ result: 'unreadable', unread: ['Hm.'] }]);
    const failing = judge((one, other) => (one === 'a' ? alphabetical(one, other) : new TeacherError('too long')));
    expect(results(await settle([group('t', two)], failing))).toEqual([[[0, 1, 'failed']]]);
  });
});

describe('rankAnswers', () => {
  const duel = (a: number, b: number, result: Duel['result']): Duel => ({
    places: [a, b],
    result,
    calls: [],
    unread: [],
  });
  const ranks = (candidates: ScoredCandidate[], ...duels: Duel[]) => {
    const ranked = rankAnswers(candidates, duels);
    const { pairs, ties } = preferencePairs(ranked);
    return {
      ranks: ranked.answers.map(({ content, rank }) => `${content}${rank}`).join(' '),
      pairs: pairs.map(({ better, worse, margin }) => `${better.content}${worse.content} ${margin}`),
      ties,
    };
  };

  it('by score; what has none is left out; ties stay ties', () => {
    expect(ranks([scored('a', 7), scored('b', 9), scored('c'), scored('d', 7)])).toEqual({
      ranks: 'a2 b1 d2',
      pairs: ['ba 2', 'bd 2'],
      ties: 1,
    });
  });

  it('by the expected score of several verdicts, with the reason that is nearest to it', () => {
    const answers = [scored('a', 9, 9, 8), scored('b', 9, 9, 9), scored('c', 9, 8, 9)];
    expect(ranks(answers)).toEqual({
      ranks: 'a2 b1 c2',
      pairs: [expect.stringMatching(/^ba 0\.3333/), expect.stringMatching(/^bc 0\.3333/)],
      ties: 1,
    });
    expect(rankAnswers([scored('a', 1, 9, 6), scored('b', 5)], []).answers.map(({ reason }) => reason)).toEqual([
      'a 2',
      'b 0',
    ]);
  });

  it('answers of one score by who won; margins stay those of the scores', () => {
    const nines = [scored('a', 9), scored('b', 9), scored('c', 9), scored('d', 5)];
    expect(ranks(nines, duel(0, 1, 'second'), duel(0, 2, 'first'), duel(1, 2, 'first'))).toEqual({
      ranks: 'a2 b1 c3 d4',
      pairs: ['ba 0', 'bc 0', 'bd 4', 'ac 0', 'ad 4', 'cd 4'],
      ties: 0,
    });
  });

  it('a rank that no verdict speaks for is no pair', () => {
    const nines = [scored('a', 9), scored('b', 9), scored('c', 9)];
    // a beats b; nobody can tell c from either: c stands between them and is compared with neither.
    expect(ranks(nines, duel(0, 1, 'first'), duel(0, 2, 'tie'), duel(1, 2, 'disagree'))).toEqual({
      ranks: 'a1 b3 c2',
      pairs: ['ab 0'],
      ties: 2,
    });
    // In a circle nobody is better than anybody.
    expect(ranks(nines, duel(0, 1, 'first'), duel(1, 2, 'first'), duel(0, 2, 'second'))).toEqual({
      ranks: 'a1 b1 c1',
      pairs: [],
      ties: 3,
    });
    // d beats a, but a has won more: they are no pair.
    const four = [...nines, scored('d', 9)];
    const found = ranks(
      four,
      ...[duel(0, 1, 'first'), duel(0, 2, 'first'), duel(0, 3, 'second')],
      ...[duel(1, 2, 'tie'), duel(1, 3, 'first'), duel(2, 3, 'first')],
    );
    // Net: a +1, b 0, c 0, d −1.
    expect(found).toEqual({ ranks: 'a1 b2 c2 d4', pairs: ['ab 0', 'ac 0', 'bd 0', 'cd 0'], ties: 2 });
  });
});
