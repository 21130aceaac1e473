/** What scoring may cost; what it writes is tested through the program (test/cli/data-score.test.ts). */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunContext } from '../../recipes/context.ts';
import { run } from '../../recipes/score-data.ts';
import { survey } from '../../recipes/score-input.ts';
import { qualityRequests } from '../../src/generate/quality.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { upperBoundUsd } from '../../src/teacher/prices.ts';
import { usd } from '../../src/teacher/spending.ts';
import { answer, fakeTeacher, price, temporaryFolder } from '../teacher/fixtures/make.ts';

let folder: string;
let ledger: Ledger;
beforeEach(() => {
  folder = temporaryFolder();
  ledger = new Ledger(join(folder, 'ledger.sqlite'));
});
afterEach(() => ledger.close());

const tasks = ['Name a river.', 'Name a lake.', 'Name a sea.'];
const settings = { teacher: { provider: 'local', model: 'builtin' }, maxTokens: 64, threshold: 4 } as const;
const bounds = tasks.map((content) => {
  const messages = [
    { role: 'user', content },
    { role: 'assistant', content: 'x' },
  ] as const;
  return upperBoundUsd(price, qualityRequests({ model: 'test-model', maxTokens: 64 })({ messages, language: 'en' }));
});
const [first = 0, ...others] = bounds;
const all = others.reduce((sum, bound) => sum + bound, first);

const paid = () => fakeTeacher({ paid: true, price, reply: async () => answer('4\nFine.') });

async function score(teacher: ReturnType<typeof paid>, spending: Pick<RunContext, 'budgetUsd' | 'yes'>) {
  const file = join(folder, 'rows.jsonl');
  const out = join(folder, 'good.jsonl');
  writeFileSync(file, tasks.map((instruction) => JSON.stringify({ instruction, output: 'x' })).join('\n'));
  const signal = new AbortController().signal;
  const notes: string[] = [];
  const context: RunContext = {
    ...{ ledger, signal, ...spending },
    progress: () => ({ update: () => {}, note: (text) => notes.push(text), finish: () => {} }),
    engine: () => Promise.reject(new Error('no engine is needed')),
    teacher: async () => teacher,
  };
  const files = { files: [file], out, rejects: join(folder, 'rejects.jsonl') };
  const result = await run(settings, files, await survey(files, signal), context);
  return { ...result, notes };
}

describe('the cost of scores', () => {
  it('is quoted before anything is asked, and asked only where that was confirmed', async () => {
    const teacher = paid();
    const quote = `3 calls, ${usd(all)} at the very most`;
    await expect(score(teacher, { budgetUsd: undefined, yes: false })).rejects.toThrow(quote);
    expect(teacher.asked).toEqual([]);
    const { kept, notes } = await score(teacher, { budgetUsd: undefined, yes: true });
    expect([kept, notes]).toEqual([3, [`fake:test-model costs money: ${quote}`]]);
  });

  it('ends at the budget with nothing written; with a larger one it goes on', async () => {
    const teacher = paid();
    // Each answer is 15 tokens: after the first there is no room for a second at its most.
    await expect(score(teacher, { budgetUsd: first + 1e-6, yes: false })).rejects.toThrow(/budget/);
    expect(teacher.asked).toHaveLength(1);
    expect(existsSync(join(folder, 'good.jsonl'))).toBe(false);
    expect(await score(teacher, { budgetUsd: all, yes: false })).toMatchObject({ kept: 3 });
    expect(teacher.asked).toHaveLength(3);
  });
});
