import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { root, tinyModel, understudy } from './program.ts';

/** Settings of other tools in a file: `train sft --config`, flags before them, and fine-tuning in `run`. */
const scratch = mkdtempSync(join(tmpdir(), 'understudy-train-config-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const write = (name: string, content: string): string => {
  writeFileSync(join(scratch, name), content);
  return join(scratch, name);
};
const data = write(
  'data.json',
  JSON.stringify(['hi', 'ho', 'hey'].map((word) => ({ instruction: `Say ${word}.`, output: word }))),
);
const output = join(scratch, 'student');
const file = write(
  'sft.yaml',
  `model_name_or_path: ${tinyModel}
dataset: ${data}
output_dir: ${output}
num_train_epochs: 5
learning_rate: 1e-3
fp32: true
`,
);
const elsewhere = { env: { UNDERSTUDY_HOME: join(scratch, 'nowhere') } };

describe('train sft --config', () => {
  it('trains by the file, flags before it, and says once what was taken for what', async () => {
    const { code, stdout, stderr } = await understudy(['train', 'sft', '--config', file, '--epochs', '2', '--json']);
    expect([code, stderr]).toEqual([0, expect.stringContaining('num_train_epochs → epochs, learning_rate → ')]);
    expect(stderr.match(/model_name_or_path → model, dataset → data, output_dir → output/g)).toHaveLength(1);
    // Three rows fit one step: as many steps as epochs.
    expect(JSON.parse(stdout)).toMatchObject({ model: output, steps: 2, dtype: 'float32' });
    expect(existsSync(join(output, 'config.json'))).toBe(true);
  });

  it('refuses rows for tokens with the arithmetic, and names that contradict each other', async () => {
    const wrong = write('wrong.yaml', 'per_device_train_batch_size: 4\nlr: 1\nlearning_rate: 2\n');
    const { code, stderr } = await understudy(['train', 'sft', '--config', wrong], elsewhere);
    expect(code).toBe(2);
    expect(stderr).toMatch(/wrong\.yaml: per_device_train_batch_size: a step is counted in tokens/);
    expect(stderr).toMatch(/lr: 1 and learning_rate: 2 are both learningRate/);
    expect(stderr).toMatch(/→ set batchTokens instead/);
  });

  it('asks for what neither file nor flags give', async () => {
    const none = await understudy(['train', 'sft', '--model', tinyModel], elsewhere);
    expect([none.code, none.stderr]).toEqual([
      2,
      expect.stringMatching(/--data <files\.\.\.>, --out <folder>[\s\S]*--config/),
    ]);
    const half = await understudy(['train', 'sft', '--config', write('half.yaml', 'epochs: 1')], elsewhere);
    expect([half.code, half.stderr]).toEqual([
      2,
      expect.stringMatching(/half\.yaml: model: [\s\S]*half\.yaml: data: /),
    ]);
    const absent = await understudy(['train', 'sft', '--config', join(scratch, 'absent.yaml')], elsewhere);
    expect([absent.code, absent.stderr]).toEqual([2, expect.stringContaining('no such file')]);
  });
});

describe('run', () => {
  const demo = readFileSync(join(root, 'examples/demo.yaml'), 'utf8');

  it('takes them under sft, and says so', async () => {
    // A file of seeds that is not there ends it before anything is set up.
    const run = write(
      'run.yaml',
      demo.replace('learningRate:', 'lr:').replace(/^seeds: .*$/m, 'seeds: [absent.jsonl]'),
    );
    const { code, stderr } = await understudy(['run', run], elsewhere);
    expect(stderr.split('\n').slice(0, 2)).toEqual([
      'sft.lr → sft.learningRate',
      expect.stringContaining('absent.jsonl'),
    ]);
    expect(code).toBe(2);
  });

  it('has no place for what the run itself decides', async () => {
    const run = write('data.yaml', demo.replace('learningRate:', 'dataset: my.json\n  learningRate:'));
    const { code, stderr } = await understudy(['run', run], elsewhere);
    expect([code, stderr]).toEqual([2, expect.stringContaining('sft.dataset: there is no setting sft.data here')]);
  });
});
