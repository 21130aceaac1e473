import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RankedRow } from '../../recipes/rank-rows.ts';
import type { RewardCard } from '../../src/evaluate/reward-card.ts';
import { tinyModel, understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-best-of-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string): string => join(scratch, name);
const write = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return at(name);
};
const rowsIn = (name: string) =>
  readFileSync(at(name), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as RankedRow);

const comparisons = write(
  'comparisons.jsonl',
  Array.from({ length: 30 }, (_, i) => ({
    id: `c${i}`,
    user_input: `Say ${i}`,
    responses_and_scores: [
      { response: 'a b c d e f'.slice(0, 1 + (i % 11)), source: 'letters', score: 9 },
      { response: 'x y z w q r'.slice(0, 1 + ((5 * i) % 11)), source: 'others', score: 2 + (i % 3) },
    ],
  })),
);
const prompts = write('prompts.jsonl', [
  { id: 'a', prompt: 'Say a' },
  { id: 'b', instruction: 'Say b' },
  {
    id: 'c',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Say c' },
    ],
  },
]);
const rewardModel = at('reward');
const answer = (n: number, out: string, ...more: readonly string[]) =>
  understudy([
    ...['answer', '--model', tinyModel, '--prompts', prompts, '--out', at(out), '--dtype', 'float32'],
    ...['--max-tokens', '6', '--best-of', String(n), '--reward-model', rewardModel],
    ...more,
  ]);

beforeAll(async () => {
  const trained = await understudy([
    ...['train', 'reward', '--model', tinyModel, '--data', comparisons, '--out', rewardModel, '--dtype', 'float32'],
    ...['--epochs', '2', '--batch-tokens', '512', '--lr', '0.003', '--eval-share', '0.4'],
  ]);
  expect([trained.code, trained.stderr]).toEqual([0, expect.stringContaining('training')]);
});

describe('evaluate reward', () => {
  it('prints the card that training wrote', async () => {
    const { code, stdout } = await understudy(['evaluate', 'reward', rewardModel, '--json']);
    expect(code).toBe(0);
    const card = JSON.parse(stdout) as RewardCard;
    expect(card).toEqual(JSON.parse(readFileSync(join(rewardModel, 'card.json'), 'utf8')));
    expect(card).toMatchObject({ prompts: 12, answers: 24, pairs: 12 });
    expect(card.all!.accuracy.mean).toBeGreaterThan(0.5);
    const shown = await understudy(['evaluate', 'reward', rewardModel]);
    expect(shown.stdout).toContain('| the better is not the longer |');
    const written = readFileSync(join(rewardModel, 'card.md'), 'utf8');
    expect(written.startsWith(shown.stdout.slice(0, 400))).toBe(true);
  });

  it('says what is missing', async () => {
    const { code, stderr } = await understudy(['evaluate', 'reward', tinyModel]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('held-out.jsonl')]);
  });
});

describe('answer --best-of', () => {
  it('scores n samples with the reward model, the first of a larger pool being those of a smaller', async () => {
    const large = await answer(16, 'pool.jsonl', '--json');
    expect(large.code).toBe(0);
    expect(JSON.parse(large.stdout)).toMatchObject({ rows: 3, ranks: { prompts: 3, candidates: 48, notFinite: 0 } });
    expect((await answer(4, 'best.jsonl', '--groups', at('groups'))).code).toBe(0);
    const [pool, best] = [rowsIn('pool.jsonl'), rowsIn('best.jsonl')];
    expect(best.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    for (const [i, { candidates, output, reward }] of best.entries()) {
      expect(candidates.map(({ text }) => text)).toEqual(pool[i]!.candidates.slice(0, 4).map(({ text }) => text));
      const rewards = candidates.map((one) => one.reward!);
      for (const [k, one] of rewards.entries()) expect(one).toBeCloseTo(pool[i]!.candidates[k]!.reward!, 4);
      expect(reward).toBe(Math.max(...rewards));
      expect(output).toBe(candidates.find(({ rank }) => rank === 1)!.text);
      expect(new Set(candidates.map(({ text }) => text)).size).toBeGreaterThan(1);
    }
    expect(best[2]!.conversation).toHaveLength(2);
    expect(rowsIn('groups/group-1.jsonl').map((row) => row.output)).toEqual(best.map(({ output }) => output));
    expect(existsSync(at('groups/group-4.jsonl'))).toBe(true);
    // A row gone, as after a kill: made again, the same.
    const text = readFileSync(at('best.jsonl'), 'utf8');
    writeFileSync(at('best.jsonl'), text.slice(0, text.indexOf('\n') + 30));
    expect((await answer(4, 'best.jsonl')).code).toBe(0);
    const again = rowsIn('best.jsonl');
    expect(again.map(({ candidates }) => candidates.map((one) => [one.text, one.rank]))).toEqual(
      best.map(({ candidates }) => candidates.map((one) => [one.text, one.rank])),
    );

    const curve = await understudy(['evaluate', 'best-of', at('pool.jsonl'), '--json']);
    const { points } = JSON.parse(curve.stdout) as { points: { n: number; reward: { mean: number } }[] };
    expect(points.at(-1)).toMatchObject({ n: 16 });
    const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
    expect(points.at(-1)!.reward.mean).toBeCloseTo(mean(pool.map(({ reward }) => reward!)), 9);
    expect(points[0]!.reward.mean).toBeCloseTo(
      mean(pool.flatMap((row) => row.candidates.map((one) => one.reward!))),
      9,
    );
    const shown = await understudy(['evaluate', 'best-of', at('pool.jsonl'), '--references', at('best.jsonl')]);
    expect(shown.stdout).toMatch(/best of +reward +length in words +ROUGE-L/);
    expect(shown.stdout).toMatch(/from 1 to 16: reward \+/);
  });

  it('gives no reward to what is longer than the reward model has positions, and says so', async () => {
    const short = at('few-positions');
    cpSync(rewardModel, short, { recursive: true });
    const config = JSON.parse(readFileSync(join(short, 'config.json'), 'utf8')) as object;
    writeFileSync(join(short, 'config.json'), JSON.stringify({ ...config, max_position_embeddings: 64 }));
    const mixed = write('mixed.jsonl', [
      { id: 'short', prompt: 'Say a' },
      { id: 'long', prompt: 'Say a again, '.repeat(30) },
    ]);
    const { code, stdout, stderr } = await understudy([
      ...['answer', '--model', tinyModel, '--prompts', mixed, '--out', at('mixed-best.jsonl'), '--dtype', 'float32'],
      ...['--max-tokens', '6', '--best-of', '3', '--reward-model', short, '--training', at('mixed-train.jsonl')],
      '--json',
    ]);
    expect(code, stderr).toBe(0);
    const [one, long] = rowsIn('mixed-best.jsonl');
    expect([one!.id, one!.candidates.every(({ reward }) => reward !== null)]).toEqual(['short', true]);
    const unscored = long!.candidates.filter(({ text }) => text.trim() !== '').length;
    expect(unscored).toBeGreaterThan(0);
    // The first is taken: nothing says which is better.
    expect(long).toMatchObject({ id: 'long', reward: null, output: long!.candidates[0]!.text });
    expect(long!.candidates.map(({ reward, rank }) => [reward, rank])).toEqual([1, 2, 3].map((rank) => [null, rank]));
    expect(JSON.parse(stdout)).toMatchObject({
      ranks: { prompts: 2, candidates: 6, notFinite: unscored },
      training: { rejected: { 'no reward': 1 } },
    });
    expect(stderr).toContain(`${unscored} answers whose reward is no finite number`);
  });

  it('refuses what cannot work before anything is loaded', async () => {
    const refused = async (args: readonly string[], message: string) => {
      const { code, stderr } = await understudy(args);
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
    };
    const base = ['answer', '--model', tinyModel, '--prompts', prompts, '--out', at('refused.jsonl')];
    await refused([...base, '--best-of', '4'], 'expected --reward-model FOLDER');
    await refused([...base, '--reward-model', rewardModel], '--reward-model: expected --best-of N');
    await refused([...base, '--best-of', '4', '--reward-model', tinyModel], 'is no reward model');
    const ranked = [...base, '--best-of', '4', '--reward-model', rewardModel];
    await refused([...ranked, '--temperature', '0'], 'writes the same answer each time');
    await refused([...ranked, '--min-reward', '1'], '--min-reward: expected --training FILE');
    await refused([...ranked, '--training', at('refused.jsonl')], 'are the same file');
    await refused([...ranked, '--training', at('t.jsonl'), '--top-share', '2'], 'expected a share above 0');
    expect(existsSync(at('refused.jsonl'))).toBe(false);
    // Seen once it is loaded.
    await refused([...base.slice(0, 1), '--model', rewardModel, ...base.slice(3)], 'is a reward model');
  });
});

describe('rank', () => {
  it('ranks ready-made candidates, and its best answers are trained on', async () => {
    const candidates = write(
      'candidates.jsonl',
      Array.from({ length: 8 }, (_, i) => ({
        prompt: `Say ${i}`,
        candidates: ['a b c', 'x y z', i === 0 ? '' : 'b c d'],
      })),
    );
    const args = [
      ...['rank', candidates, '--reward-model', rewardModel, '--out', at('ranked.jsonl'), '--dtype', 'float32'],
      ...['--training', at('train.json'), '--as', 'alpaca', '--top-share', '0.5', '--json'],
    ];
    const { code, stdout, stderr } = await understudy(args);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      rows: 8,
      kept: 0,
      ranks: { candidates: 24, empty: 1 },
      training: { kept: 4, rejected: { 'not in the top share': 4 } },
    });
    expect(stderr).toContain('4 rows to train on');
    expect(rowsIn('ranked.jsonl').every(({ output }) => output !== 'x y z')).toBe(true);
    expect(rowsIn('train.json.rejected.jsonl')).toHaveLength(4);
    const again = await understudy(args);
    expect(JSON.parse(again.stdout)).toMatchObject({ rows: 8, kept: 8, training: { kept: 4 } });

    const trained = await understudy([
      ...['train', 'sft', '--model', tinyModel, '--data', at('train.json'), '--out', at('student')],
      ...['--dtype', 'float32', '--epochs', '1', '--json'],
    ]);
    expect([trained.code, JSON.parse(trained.stdout)]).toMatchObject([0, { receipt: { kept: 4 } }]);
  });

  it('refuses a classifier of two labels', async () => {
    mkdirSync(at('two'));
    const config = JSON.parse(readFileSync(join(rewardModel, 'config.json'), 'utf8')) as object;
    writeFileSync(
      at('two/config.json'),
      JSON.stringify({ ...config, num_labels: 2, id2label: { 0: 'bad', 1: 'good' }, label2id: { bad: 0, good: 1 } }),
    );
    const { code, stderr } = await understudy([
      ...['rank', comparisons, '--reward-model', at('two'), '--out', at('two.jsonl')],
    ]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('a reward model has one label, this classifier has 2')]);
  });
});
