/** evaluate automatic with two tiny random models: what its figures are made of is tested in test/recipes/automatic. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { answerOn } from '../../src/local/answer.ts';
import { loadModel } from '../../src/local/loaded-model.ts';
import { root, tinyModel, understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-automatic-cli-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const otherModel = join(root, 'test/golden/llama3-untied');
const data = join(scratch, 'data.json');
const turns = [
  { role: 'user', content: 'Name a river.' },
  { role: 'assistant', content: 'The Aare.' },
] as const;
writeFileSync(data, JSON.stringify([{ instruction: turns[0].content, input: '', output: turns[1].content }]));
const automatic = (...args: string[]) => understudy(['evaluate', 'automatic', ...args]);

it('measures both on our questions and the data, and leaves rows that can be tested', async () => {
  const out = join(scratch, 'out');
  const flags = ['--against', otherModel, '--data', data, '--out', out, '--max-tokens', '4', '--threads', '1'];
  const { code, stdout, stderr } = await automatic(tinyModel, ...flags);
  expect([code, stderr]).toEqual([0, expect.stringContaining(`rows behind the figures: ${out}`)]);
  expect(stdout).toMatch(/English, held out: 1 conversation, 10 tokens, 9 bytes\n {2}model +\d\.\d{3} nats a token/);
  expect(stdout).toMatch(/choice, by log-probability\n {2}English +\d+ of 60 .*against \d+ of 60 .*blind choice 25 %/);
  expect(stdout).toMatch(/short answers, exact\n {2}English +\d+ of 64 [\s\S]* {2}all +\d+ of 106 /);
  expect(stdout).toMatch(/forgot\? exact: On 106 items .*\n\nforgot\? choice: On 100 items /);

  const rows = (name: string) =>
    readFileSync(join(out, name), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  expect([rows('exact.jsonl').length, rows('choice.jsonl').length]).toEqual([106, 100]);
  for (const [folder, which] of [
    [tinyModel, 'model'],
    [otherModel, 'against'],
  ] as const) {
    const loaded = loadModel(folder, { dtype: 'auto' });
    const [score] = await answerOn(loaded).score([turns]);
    loaded.decoder.release();
    expect(rows('loss.jsonl')[0][which].nats).toBeCloseTo(-score!.sum, 3);
  }

  const test = ['evaluate', 'test', join(out, 'choice.jsonl'), join(out, 'choice.jsonl'), '--json'];
  const compared = JSON.parse((await understudy([...test, '--field', 'against.right', 'model.right'])).stdout);
  const summary = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'));
  expect(compared.comparisons[0].difference).toEqual(summary.choice.all.comparison.difference);
});

it('finds bad input before anything is loaded', async () => {
  const refused = async (...args: string[]) => {
    const { code, stdout, stderr } = await automatic(...args, '--out', join(scratch, 'refused'));
    expect([code, stdout]).toEqual([2, '']);
    return stderr;
  };
  expect(await refused(join(scratch, 'no-model'))).toContain('no such model');
  expect(await refused(tinyModel, '--data', join(scratch, 'absent'))).toContain('no such file');
  expect(await refused(tinyModel, '--questions', data)).toContain('id: expected a text, got nothing');
  expect(await refused(tinyModel, '--against', scratch)).toContain('is not a model folder');
  expect(await refused(tinyModel, '--answers', data.replace('data', 'none'))).toContain('no such file');
});
