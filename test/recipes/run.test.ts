import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import type { RunContext } from '../../recipes/context.ts';
import type { Engine } from '../../recipes/engine.ts';
import { thisMachine } from '../../recipes/plan-target.ts';
import { planSchema, planTrain } from '../../recipes/plan-train.ts';
import { run } from '../../recipes/run.ts';
import { type RunConfig, runSchema } from '../../recipes/run-config.ts';
import { packageRoot } from '../../src/base/paths.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { openTeacher } from '../../src/teacher/open-teacher.ts';

/** Bytes of memory that the machine seems to have. */
let available = 1e12;
vi.mock(import('../../recipes/plan-target.ts'), async (original) => ({
  ...(await original()),
  thisMachine: () => ({
    name: 'this machine',
    device: 'cpu' as const,
    availableBytes: available,
    computesInBf16: false,
  }),
}));

const scratch = mkdtempSync(join(tmpdir(), 'understudy-run-recipe-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const model = join(packageRoot, 'test/golden/llama-tied');
const tasksFile = (name: string, words: readonly string[]): string => {
  const file = join(scratch, name);
  const rows = words.map((word, i) => {
    const task = { category: 'generic', classification: false, instruction: `Say ${word} aloud, once.`, input: '' };
    return `${JSON.stringify({ id: `${name}-${i}`, ...task, output: word })}\n`;
  });
  writeFileSync(file, rows.join(''));
  return file;
};
const seeds = tasksFile('seeds.jsonl', ['red', 'blue', 'green']);

const configFor = (changes: Partial<RunConfig['sft']> = {}): RunConfig =>
  runSchema.parse({
    name: 'Tiny',
    output: join(scratch, 'out'),
    seeds: [seeds],
    answer: { instructions: [seeds], teacher: { provider: 'recorded', files: [seeds] } },
    sft: { model, dtype: 'float32', maxTokens: 64, packTokens: 128, batchTokens: 128, ...changes },
    evaluate: { questions: [tasksFile('questions.jsonl', ['something else entirely'])] },
  });

/** A run whose training is a copy and whose evaluation fails; says what it came to. */
async function attempt(config: RunConfig, options?: { ignoreMemory: boolean }): Promise<string[]> {
  const steps: string[] = [];
  const engine = {
    async call(method: string, { output }: { output?: string }) {
      steps.push(method);
      if (method !== 'sft' || output === undefined) throw new Error('the students cannot be asked');
      cpSync(model, output, { recursive: true });
      return { steps: 1, trainedTokens: 1, model: output };
    },
  } as unknown as Engine;
  const ledger = new Ledger(join(scratch, 'ledger.sqlite'));
  const context: RunContext = {
    ledger,
    budgetUsd: undefined,
    yes: false,
    signal: new AbortController().signal,
    progress: () => ({ update() {}, note: (text) => steps.push(text), finish() {} }),
    engine: async () => engine,
    teacher(config) {
      steps.push('teacher');
      return openTeacher(config, () => Promise.reject(new Error('no local teacher here')));
    },
  };
  try {
    await run(config, context, options);
  } catch (error) {
    steps.push((error as Error).message);
  } finally {
    ledger.close();
  }
  return steps;
}

it('asks nobody where training does not fit, and does not mind where it is done', async () => {
  const failed = 'the students cannot be asked';
  const short = expect.stringMatching(
    /^this training needs about \d\.\d+ GB of memory; 0\.10 GB are available here$/,
  ) as string;
  available = 1e8;
  expect(await attempt(configFor())).toEqual([short]);
  expect(await attempt(configFor(), { ignoreMemory: true })).toEqual(['teacher', 'teacher', 'sft', 'answer', failed]);
  // The trained student is there: only the evaluation is left.
  expect(await attempt(configFor())).toEqual(['teacher', 'answer', failed]);
  // Other settings are another training, though its data are there.
  expect(await attempt(configFor({ epochs: 1 }))).toEqual([short]);
  available = 1e12;
  expect(await attempt(configFor({ epochs: 1 }))).toEqual(['teacher', 'sft', 'answer', failed]);
});

it('says where memory may not do, and goes on', async () => {
  const config = configFor({ epochs: 2 });
  const { peak } = planTrain(planSchema.parse(config.sft), thisMachine()).memory;
  available = peak / 1.1;
  const [doubt, ...steps] = await attempt(config);
  expect(doubt).toMatch(/^this training needs about .* are available here, so it may be killed; /);
  expect(steps.slice(0, 2)).toEqual(['teacher', 'sft']);
});
