import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cardFile, cardOf, cardTextFile, heldOutFile, writeCard } from '../../recipes/reward-card.ts';
import { cardMarkdown } from '../../recipes/reward-card-markdown.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-reward-card-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const folderOf = (rows: readonly unknown[]): string => {
  const folder = mkdtempSync(join(scratch, 'model-'));
  writeFileSync(join(folder, heldOutFile), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return folder;
};
/** The better is the shorter; right where `i` is even. */
const row = (i: number) => ({
  id: `q${i}`,
  language: 'en',
  prompt: [{ role: 'user', content: `Ask *${i}*` }],
  answers: [
    { content: 'short ```code```', rank: 1, tokens: 2, reward: i % 2 === 0 ? 1 : -1, source: 'x', score: 9 },
    { content: 'rather longer than that', rank: 2, tokens: 5, reward: 0, source: 'y', score: 7 },
  ],
  pairs: [{ better: 0, worse: 1, margin: 2 }],
});
const rows = Array.from({ length: 20 }, (_, i) => row(i));

describe('writeCard', () => {
  it('writes the figures, and a text that says there is no evidence where there is none', () => {
    const folder = folderOf(rows);
    const card = writeCard(folder);
    expect(JSON.parse(readFileSync(join(folder, cardFile), 'utf8'))).toEqual(card);
    expect(cardOf(folder)).toEqual(card);
    const text = readFileSync(join(folder, cardTextFile), 'utf8');
    expect(text).toMatch(/\| the better is not the longer \| 20 \| 50\.0 % \| .* \| no evidence \| 0\.0 % \|/);
    expect(text).toContain('no evidence that it does better than chance: it may have learned length alone');
    expect(text).toContain('20 prompts that the model was not trained on, 40 answers, 20 pairs');
    expect(text).toContain('| x / y | 20 |');
    expect(text).toContain('| over 1 to 2 | 20 |');
    expect(text).toMatch(/\| score \| 20 \| 8\.00 \| 8\.00 \| 9\.00 \|/);
    expect(text).toMatch(/The worst disagreements: 10 of 10 pairs/);
    // Texts of the data cannot break out of their fences.
    expect(text).toContain('````\nshort ```code```\n````');
  });

  it('the summary leaves single disagreements out', () => {
    const text = cardMarkdown(cardOf(folderOf(rows)), { name: 'my *model*', summary: true });
    expect(text).not.toContain('rather longer');
    expect(text).toContain('10 pairs in which the worse answer has the higher reward');
    expect(text).toContain('my \\*model\\*');
  });

  it('says so where it is better than chance on pairs that length does not decide', () => {
    const right = rows.filter((_, i) => i % 2 === 0);
    const text = cardMarkdown(cardOf(folderOf(right)), { name: 'm' });
    expect(text).toContain('| better than chance |');
    expect(text).toContain('it has learned more than length');
    expect(text).toContain('In no pair the worse answer has the higher reward.');
  });

  it('counts rewards that are no finite number, which JSON writes as null', () => {
    const [first, ...others] = rows;
    const nan = { ...first, answers: first!.answers.map((answer) => ({ ...answer, reward: Number.NaN })) };
    const card = cardOf(folderOf([nan, ...others]));
    expect(card).toMatchObject({ notFinite: 2, pairs: 19 });
    expect(cardMarkdown(card, { name: 'm' })).toContain('2 answers whose reward is no finite number left out');
    const none = cardOf(folderOf([nan]));
    expect(cardMarkdown(none, { name: 'm' })).toContain('No pair is left');
  });

  it('names what is broken, and what to do where nothing was held out', () => {
    expect(() => cardOf(join(scratch, 'nowhere'))).toThrow('no such file');
    const broken = folderOf([
      rows[0],
      {
        id: 1,
        prompt: 'text',
        answers: [{ content: 'a', rank: 1, tokens: 'x', reward: 'y' }],
        pairs: [{ better: 0, worse: 4 }],
      },
      7,
    ]);
    for (const part of [
      ':2: id: expected a string, got a number',
      ':2: prompt: expected turns',
      ':2: answers[0].tokens: expected a number, got a string',
      ':2: answers[0].reward: expected a number or null, got a string',
      ':2: pairs: expected {better, worse}',
    ])
      expect(() => cardOf(broken)).toThrow(part);
  });
});
