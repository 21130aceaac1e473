import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { root, tinyModel, understudy } from './program.ts';

/** `train reward`, `train dpo`, `train grpo` and `train ppo`: each once from end to end, and what is refused. */
const scratch = mkdtempSync(join(tmpdir(), 'understudy-train-rl-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const rowsFile = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(join(scratch, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return join(scratch, name);
};
const out = (name: string): string => join(scratch, name);
const pairs = rowsFile(
  'pairs.jsonl',
  Array.from({ length: 10 }, (_, i) => ({ prompt: `Is ${i} small?`, chosen: `yes, ${i}`, rejected: `no, ${i}` })),
);
const prompts = rowsFile(
  'prompts.jsonl',
  Array.from({ length: 4 }, (_, i) => ({ prompt: `Say ${i}.` })),
);
const quick = ['--dtype', 'float32', '--threads', '1', '--json'];
const model = ['--model', tinyModel];
const round = ['--iterations', '2', '--prompts-per-iteration', '2', '--samples', '2', '--max-new-tokens', '4'];
/** Ends before anything is set up. */
const elsewhere = { env: { UNDERSTUDY_HOME: join(scratch, 'nowhere') } };

describe('train', () => {
  it('reward makes a reward model, which grpo then asks', async () => {
    const train = ['train', 'reward', ...model, '--data', pairs, '--eval-share', '0.2', '--margin-scale', '0.5'];
    const first = await understudy([...train, '--out', out('judge'), ...quick]);
    expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('10 of 10 prompts kept, with 10 pairs')]);
    const result = JSON.parse(first.stdout) as { heldOutFile: string; receipt: object; heldOut: object };
    expect(result).toMatchObject({ model: out('judge'), receipt: { pairs: 10, ties: 0 }, heldOut: { rows: 2 } });
    expect(readFileSync(result.heldOutFile, 'utf8').trim().split('\n')).toHaveLength(2);

    const learn = ['train', 'grpo', ...model, '--data', prompts, '--reward-model', out('judge'), ...round];
    const policy = await understudy([...learn, '--regex', 'e', '--out', out('policy'), ...quick]);
    expect([policy.code, policy.stderr]).toEqual([0, expect.stringContaining('2 iterations')]);
    expect(JSON.parse(policy.stdout)).toMatchObject({ model: out('policy'), algorithm: 'grpo', iterations: 2 });
    const rollouts = readFileSync(join(out('policy'), 'rollouts.jsonl'), 'utf8')
      .trim()
      .split('\n');
    expect(rollouts).toHaveLength(8);
    expect(JSON.parse(rollouts[0] as string)).toMatchObject({ step: 1, 'model 1': expect.any(Number) });

    // Neither stands where the other is wanted.
    const said = [2, expect.stringContaining('is a reward model: it gives scores and writes no text')];
    const rows = rowsFile('rows.jsonl', [{ instruction: 'Say hi.', output: 'hi' }]);
    const student = ['train', 'sft', '--model', out('judge'), '--data', rows, '--out', out('student')];
    const swapped = await understudy([...student, '--threads', '1']);
    expect([swapped.code, swapped.stderr]).toEqual(said);
    const asked = await understudy(['answer', '--model', out('judge'), '--prompts', prompts, '--out', out('answers')]);
    expect([asked.code, asked.stderr]).toEqual(said);
  });

  it('dpo makes a model', async () => {
    const train = ['train', 'dpo', ...model, '--data', pairs, '--loss', 'ipo', '--beta', '0.2', '--lora-rank', '2'];
    const { code, stdout, stderr } = await understudy([...train, '--out', out('dpo'), ...quick]);
    expect([code, stderr]).toEqual([0, expect.stringContaining('the reference reads 20 answers, once')]);
    expect(JSON.parse(stdout)).toMatchObject({ model: out('dpo'), receipt: { pairs: 10 } });
    expect(existsSync(join(out('dpo'), 'adapter_config.json'))).toBe(true);
  });

  it('ppo makes adapters, by a file of settings with flags before it', async () => {
    const file = join(scratch, 'ppo.yaml');
    writeFileSync(
      file,
      `model: ${tinyModel}\ndata: [${prompts}]\noutput: ${out('ppo')}\niterations: 9\nsamples: 3\nmaxNewTokens: 4\n` +
        'rewards:\n  - { kind: words, atMost: 8 }\n  - { kind: json, weight: 0.5 }\n',
    );
    const { code, stdout } = await understudy(['train', 'ppo', '--config', file, '--iterations', '1', ...quick]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ model: out('ppo'), algorithm: 'ppo', iterations: 1 });
  });
});

describe('bad input', () => {
  const grpo = ['train', 'grpo', ...model, '--data', prompts, '--out', out('refused')];

  it.each([
    ['no reward', grpo, /nothing says what an answer earns[\s\S]*--reward-model FOLDER/],
    [
      'a group of one',
      [...grpo, '--max-words', '8', '--samples', '1'],
      /a group of one has nothing to be compared with/,
    ],
    ['a pattern that is none', [...grpo, '--regex', '('], /reward regex: Invalid regular expression/],
    ['a language model as judge', [...grpo, '--reward-model', tinyModel], /is no reward model[\s\S]*train reward/],
    ['a judge that is not there', [...grpo, '--reward-model', out('absent')], /no such model: .*absent/],
    ['no prompts file', [...grpo, '--regex', 'e', '--data', out('absent.jsonl')], /absent\.jsonl/],
    ['no model', ['train', 'ppo', '--data', prompts, '--out', out('refused'), '--regex', 'e'], /model/],
    [
      'another loss’s setting',
      ['train', 'dpo', ...model, '--data', pairs, '--out', out('refused'), '--gamma', '1'],
      /gamma: is for loss simpo/,
    ],
    [
      'conversations to rank',
      ['train', 'reward', ...model, '--data', prompts, '--out', out('refused')],
      /prompts\.jsonl/,
    ],
  ])('ends with code 2: %s', async (_, args, said) => {
    const { code, stderr } = await understudy(args, elsewhere);
    expect([code, stderr]).toEqual([2, expect.stringMatching(said)]);
    expect(existsSync(out('refused'))).toBe(false);
  });

  it('ends with code 2: a judge of two labels', async () => {
    const folder = out('two labels');
    await cp(join(root, 'test/golden/llama-tied'), folder, { recursive: true });
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as object;
    const two = { ...config, architectures: ['LlamaForSequenceClassification'], id2label: { 0: 'bad', 1: 'good' } };
    writeFileSync(join(folder, 'config.json'), JSON.stringify(two));
    const { code, stderr } = await understudy([...grpo, '--reward-model', folder], elsewhere);
    expect([code, stderr]).toEqual([2, expect.stringContaining('a reward model has one label, this classifier has 2')]);
  });
});
