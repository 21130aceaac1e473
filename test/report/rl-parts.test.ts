import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSource } from '../../recipes/report-sources.ts';
import { toJsonl } from '../../src/base/jsonl.ts';
import type { RewardedGroup } from '../../src/evaluate/reward-card.ts';
import type { Block } from '../../src/report/part.ts';
import type { RlAnswer, RlIteration } from '../../src/report/report-input.ts';
import { reportParts, reportRows } from '../../src/report/report-parts.ts';
import { rewardChange, windowOf } from '../../src/report/rl-change.ts';
import type { RowsLink } from '../../src/report/rows.ts';
import { cellText, type FigureCell, type Table } from '../../src/report/table.ts';
import { chinese, english } from '../../src/report/words.ts';
import { writeReport } from '../../src/report/write-report.ts';

const scratch = mkdtempSync(join(tmpdir(), 'report-rl-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function write(folder: string, name: string, content: unknown): void {
  mkdirSync(join(scratch, folder), { recursive: true });
  const text = name.endsWith('.jsonl') ? toJsonl(content as unknown[]) : JSON.stringify(content);
  writeFileSync(join(scratch, folder, name), text);
}

/** Eight iterations of four prompts with two answers each; `rewardAt` of iteration and prompt. */
const iteration = (step: number, more: Partial<RlIteration> = {}): RlIteration => ({
  ...{ step, seconds: 2, kl: step, entropy: 2, length: 20, reward: step / 10, flat: 0 },
  metrics: { 'completions/clipped_ratio': 0.5 },
  ...more,
});
const answersOf = (steps: number, rewardAt: (step: number, prompt: number) => number): RlAnswer[] =>
  Array.from({ length: steps }, (_, i) => i + 1).flatMap((step) =>
    [0, 1, 2, 3].flatMap((prompt) =>
      [-0.1, 0.1].map((off, at) => ({
        ...{ step, prompt: `p${prompt}`, text: `answer ${step}/${prompt}/${at}`, tokens: 9 },
        finishReason: at === 0 ? ('length' as const) : ('stop' as const),
        reward: rewardAt(step, prompt) + off,
        parts: { words: rewardAt(step, prompt) },
      })),
    ),
  );
const log = Array.from({ length: 8 }, (_, i) => iteration(i + 1));

describe('rewardChange', () => {
  it('holds the last quarter of the iterations against the first', () => {
    const change = rewardChange(
      log,
      answersOf(8, (step, prompt) => step + prompt / 100),
    )!;
    // Iterations 1 and 2 against 7 and 8, four prompts each; 0.015 is the prompts’ own mean.
    expect(change.iterations).toBe(2);
    expect([change.first.mean, change.last.mean]).toEqual([expect.closeTo(1.515, 9), expect.closeTo(7.515, 9)]);
    expect([change.first.n, change.change.mean]).toEqual([8, expect.closeTo(6, 9)]);
    expect(change.change.low).toBeGreaterThan(5);
    expect(change.change.high).toBeLessThan(7);
    expect(change.verdict).toBe('rose');
    expect(
      rewardChange(
        log,
        answersOf(8, (step) => -step),
      )!.verdict,
    ).toBe('fell');
    expect(
      rewardChange(
        log,
        answersOf(8, (step, prompt) => (prompt % 2) * 5 + step / 100),
      )!.verdict,
    ).toBe('no clear change');
  });

  it('says nothing on few prompts, and nothing of one iteration', () => {
    const two = log.slice(0, 2);
    expect(
      rewardChange(
        two,
        answersOf(2, (step) => step),
      )!.verdict,
    ).toBe('too few to say');
    expect(
      rewardChange(
        log.slice(0, 1),
        answersOf(1, (step) => step),
      ),
    ).toBeUndefined();
    expect([1, 2, 3].map(windowOf(log.slice(0, 3)))).toEqual(['first', undefined, 'last']);
  });
});

const tablesOf = (blocks: readonly Block[]): Table[] =>
  blocks.flatMap((block) =>
    block.kind === 'table' ? [block.table] : block.kind === 'folded' ? tablesOf(block.blocks) : [],
  );

function open(folder: string) {
  const report = { title: folder, sources: [readSource(join(scratch, folder), folder, { out: join(scratch, 'out') })] };
  const [part] = reportParts(report, english);
  const sets = new Map(reportRows(report, english).map((set) => [set.id, set.rows]));
  const behind = ({ set, filter }: RowsLink) =>
    sets
      .get(set)!
      .filter(({ facets }) => Object.entries(filter).every(([name, value]) => facets[name]?.includes(value)));
  const cells = tablesOf(part!.blocks).flatMap(({ caption, columns, rows }) =>
    rows.flatMap((row) =>
      row.slice(1).map((cell, i) => ({
        ...{ table: caption, row: cellText(row[0]!), column: columns[i + 1]!.label },
        cell: cell as FigureCell,
      })),
    ),
  );
  const said = part!.blocks.flatMap((block) => (block.kind === 'text' || block.kind === 'note' ? [block.text] : []));
  return { report, part: part!, behind, cells, said };
}

describe('a folder of reinforcement learning', () => {
  const rollouts = answersOf(8, (step) => step).map(({ parts, ...row }) => ({ ...row, ...parts }));

  it('says whether the reward rose, at what divergence, and opens the answers', () => {
    write('grpo', 'train.jsonl', [...log.slice(0, 7), iteration(8, { kl: 60, length: 50 })]);
    write('grpo', 'rollouts.jsonl', [{ ...rollouts[0], reward: null, words: null }, ...rollouts.slice(1)]);
    write('grpo', 'rl.json', { algorithm: 'grpo', iterations: 8, model: 'x', identity: 'y' });
    const { report, part, behind, cells, said } = open('grpo');
    expect(part.title).toBe('Reinforcement learning: grpo');
    expect(said[0]).toMatch(
      /^GRPO, 8 iterations: the mean reward went from 1\.\d+ in the first 2 iterations to 7\.500 .*: rose\./,
    );
    expect(said[0]).toContain('60.00 nats an answer away');
    expect(said.slice(1)).toEqual([
      expect.stringMatching(/^From iteration 8 on: the policy has run off: 60\.00 nats/),
      expect.stringMatching(/^From iteration 8 on: answers have become long: 50 tokens, 20 at first/),
    ]);
    const find = (row: string, column: string) => cells.find((one) => one.row === row && one.column === column)!.cell;
    expect(find('Reward', 'the last 2 iterations').figure).toMatchObject({ value: expect.closeTo(7.5, 9), n: 8 });
    expect(find('of that: words, not weighted', 'the last 2 iterations').figure).toEqual({ value: 7.5, n: 16 });
    expect(find('divergence, nats an answer', 'the first 2 iterations').figure!.value).toBe(1.5);
    for (const name of ['cut off at the length limit', 'without a reward', 'answers'])
      for (const column of ['the first 2 iterations', 'the last 2 iterations'])
        expect(behind(find(name, column).rows!), `${name}, ${column}`).toHaveLength(find(name, column).figure!.value!);
    const shown = cells.filter(({ table, column }) => table.startsWith('Answers of') && column === 'Answer');
    expect(shown.map(({ row, cell }) => [row, cellText(cell)])).toEqual([
      ['iteration 1, the least', 'answer 1/1/0'],
      ['iteration 1, in the middle', 'answer 1/0/1'],
      ['iteration 1, the most', 'answer 1/3/1'],
      ['iteration 8, the least', 'answer 8/0/0'],
      ['iteration 8, in the middle', 'answer 8/3/0'],
      ['iteration 8, the most', 'answer 8/3/1'],
    ]);
    const charts = part.blocks.flatMap((block) => (block.kind === 'charts' ? block.charts : []));
    expect(charts).toHaveLength(6);
    for (const { rows } of charts) expect(behind(rows!)).toHaveLength(8);
    const page = readFileSync(writeReport(join(scratch, 'out'), report, chinese), 'utf8');
    expect(page).toContain('强化学习：grpo');
    expect(page).toContain('自第 8 次迭代起：策略已跑偏');
  });

  it('is read on its way too; answers that were not learned from are left out', () => {
    write('ppo', 'train.jsonl', log.slice(0, 4));
    write('ppo', 'rollouts.jsonl', rollouts);
    const { report, said } = open('ppo');
    expect(said.some((text) => text.startsWith('It has not come to its end'))).toBe(true);
    expect(reportRows(report, english).map(({ rows }) => rows.length)).toEqual([4, 32]);
    write('begun', 'rollouts.jsonl', []);
    expect(() => open('begun')).toThrow(/lacks train\.jsonl/);
  });
});

describe('a folder of a reward model', () => {
  const step = (number: number) => ({
    ...{ step: number, epoch: 0, loss: 1 / number, gradNorm: 1, learningRate: 1e-5, tokens: 100 * number, seconds: 1 },
    metrics: { accuracy: 0.5 + number / 20, margin: number },
  });
  const result = {
    ...{ model: 'm', steps: 4, trainedTokens: 400, parameters: 10, trained: 10, dtype: 'float32', seconds: 4 },
    ...{ identity: 'i', receipt: { prompts: 9, kept: 8, answers: 16, pairs: 8, ties: 0, tokens: 400, dropped: [] } },
  };
  const answer = (content: string, rank: number, reward: number) => ({ content, rank, reward, tokens: 5 });
  /** Eight prompts: right in six, wrong in one, equal in one; the better is the longer in four. */
  const groups = Array.from({ length: 8 }, (_, i): RewardedGroup => {
    const rewards = i === 0 ? [0, 1] : i === 1 ? [1, 1] : [2, 1];
    const better = i % 2 === 0 ? 'a longer answer than that' : 'short';
    return {
      ...{ id: `g${i}`, language: i < 5 ? 'en' : 'zh', prompt: [{ role: 'user', content: `question ${i}` }] },
      answers: [answer(better, 1, rewards[0]!), answer('an answer', 2, rewards[1]!)],
      pairs: [{ better: 0, worse: 1, margin: i < 4 ? 1 : 3 }],
    } as RewardedGroup;
  });

  it('says how often it is right, and opens the pairs', () => {
    write('reward', 'reward.json', result);
    write('reward', 'train.jsonl', [1, 2, 3, 4].map(step));
    write('reward', 'held-out.jsonl', groups);
    const { part, behind, cells, said } = open('reward');
    expect(part.title).toBe('Reward model: reward');
    // Six right and one equal, which is half: 6.5 of 8.
    expect(said[0]).toMatch(/^Of 8 answer pairs of 8 prompts held out .* in 81\.3 % /);
    const counts = cells.filter(({ column }) => column === 'pairs');
    const calibrated = counts.filter(({ row }) => /^0\.\d to/.test(row));
    const named = counts.filter((one) => !calibrated.includes(one));
    expect(named.map(({ row, cell }) => [row, cell.figure!.value])).toEqual([
      ['all pairs', 8],
      ['the better is not the longer', 4],
      ['language: English', 5],
      ['language: Chinese', 3],
      ['margin of the judge’s scores: up to 1', 4],
      ['margin of the judge’s scores: over 2 to 4', 4],
    ]);
    for (const { row, cell } of named) expect(behind(cell.rows!), row).toHaveLength(cell.figure!.value!);
    const all = behind(named[0]!.cell.rows!);
    expect(all.map(({ facets }) => facets['winner']![0])).toEqual(['wrong', 'equal', ...Array(6).fill('right')]);
    expect(all[0]!.texts.map(([label]) => label)).toEqual(['Better · 0.000', 'Worse · 1.000']);
    const titles = part.blocks.flatMap((block) =>
      block.kind === 'charts' ? block.charts.map(({ title }) => title) : [],
    );
    expect(titles).toEqual(['Loss by step', 'Pairs told right by step', 'Margin of the better by step']);
  });

  it('says that nothing is known of its worth where nothing was held out', () => {
    write('unknown', 'reward.json', result);
    write('unknown', 'train.jsonl', [1, 2].map(step));
    expect(open('unknown').said[0]).toMatch(/^No held-out comparisons with their rewards/);
  });

  it('is told from preferences and from fine-tuning', () => {
    write('dpo', 'dpo.json', result);
    write('dpo', 'train.jsonl', [1, 2].map(step));
    expect(open('dpo').part.title).toBe('Preferences: dpo');
    write('sft', 'sft.json', { ...result, labelTokens: 50, receipt: { ...result.receipt, cut: [] } });
    write('sft', 'train.jsonl', [1, 2].map(step));
    const { part, cells } = open('sft');
    expect(part.title).toBe('Fine-tuning: sft');
    expect(cells.find(({ row }) => row === 'conversations trained on')!.cell.figure!.value).toBe(8);
  });
});

it('says what a file of rows is for', () => {
  write('ranked', 'best-of.jsonl', []);
  expect(() => readSource(join(scratch, 'ranked', 'best-of.jsonl'), 'x', { out: scratch })).toThrow('holds rows');
});
