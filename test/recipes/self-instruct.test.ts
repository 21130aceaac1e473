/** What Self-Instruct in its paper's style may cost; what it makes is tested through the program. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { RunContext } from '../../recipes/context.ts';
import { run } from '../../recipes/generate.ts';
import { generateSchema } from '../../recipes/generate-config.ts';
import { plannedGeneration } from '../../recipes/quote.ts';
import { assetsFolder } from '../../src/base/paths.ts';
import { readSeeds } from '../../src/data/formats.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { upperBoundUsd } from '../../src/teacher/prices.ts';
import type { TeacherRequest } from '../../src/teacher/teacher.ts';
import { answer, fakeTeacher, price, temporaryFolder } from '../teacher/fixtures/make.ts';

const seeds = readSeeds([join(assetsFolder, 'seeds', 'en-a.jsonl')]);
const config = generateSchema.parse({
  ...{ teacher: { provider: 'local' }, count: 12, examplesPerPrompt: 2, style: 'self-instruct', instances: 2 },
});
const tasks = 'wheel storm ladder violin tunnel parrot candle glacier biscuit anchor meadow compass'.split(' ');

/** Tasks of which none is like another; every second one is classification. */
const requests: TeacherRequest[] = [];
let written = 0;
const teacher = fakeTeacher({
  paid: true,
  price,
  reply: async (request) => {
    requests.push(request);
    const last = request.messages.at(-1)?.content as string;
    if (last.includes('Write task')) {
      const word = tasks[written++] as string;
      return answer(`Compare ${word}, ${[...word].reverse().join('')} and un${word}.`);
    }
    if (/^1\. /.test(last)) {
      const lines = last.split('\n').map((_, i) => `${i + 1}. ${i % 2 === 0 ? 'free' : 'labels: loud; quiet'}`);
      return answer(lines.join('\n'));
    }
    return answer(last.includes('Label:') ? 'Input: Some noise.' : 'Input: none\nOutput: Of rest.');
  },
});

it('is quoted as an upper bound of all three kinds of calls, and nothing is asked unconfirmed', async () => {
  const folder = temporaryFolder();
  const ledger = new Ledger(join(folder, 'ledger.sqlite'));
  const context = (yes: boolean): RunContext => ({
    ...{ ledger, yes, budgetUsd: undefined, signal: new AbortController().signal },
    progress: () => ({ update: () => {}, note: () => {}, finish: () => {} }),
    engine: () => Promise.reject(new Error('no engine is needed')),
    teacher: async () => teacher,
  });
  const planned = plannedGeneration(config, seeds, teacher);
  expect(planned.map(({ calls }) => calls)).toEqual([12, 2, 24]);
  await expect(run(config, seeds, folder, context(false))).rejects.toThrow(/costs money: 38 calls/);
  expect(requests).toEqual([]);

  const made = await run(config, seeds, folder, context(true));
  ledger.close();
  expect(made.rows + Object.values(made.rejected).reduce((sum, count) => sum + count, 0)).toBe(24);
  expect(requests).toHaveLength(38);
  const kinds = [requests.slice(0, 12), requests.slice(12, 14), requests.slice(14)];
  for (const [i, kind] of kinds.entries()) {
    const bound = kind.reduce((sum, request) => sum + upperBoundUsd(price, request), 0);
    expect(planned[i]?.boundUsd).toBeGreaterThanOrEqual(bound);
  }
});

it('settings that are not given are not there: runs from before the style are the same runs', () => {
  const plain = generateSchema.parse({ teacher: { provider: 'local' }, count: 1 });
  expect(Object.keys(plain).sort()).toEqual(
    [
      ...['answerExamples', 'answerTokens', 'count', 'examplesPerPrompt', 'instructionTokens', 'languages', 'seed'],
      ...['teacher', 'temperature', 'topP'],
    ].sort(),
  );
});
