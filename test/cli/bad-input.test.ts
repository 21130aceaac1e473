import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { startChatServer } from '../teacher/fixtures/chat-server.ts';
import { root, tinyModel, understudy } from './program.ts';

/** Bad input: one clear error, at most ten lines, no stack, exit code 2, before any set-up or native load. */
const scratch = mkdtempSync(join(tmpdir(), 'understudy-bad-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const write = (name: string, content: string): string => {
  writeFileSync(join(scratch, name), content);
  return join(scratch, name);
};

const goodData = write('good.json', '[{"instruction":"Say hi.","output":"hi"}]');
const brokenArray = write('broken.json', '[{"instruction":"a","output":"b"},{"instruction":"c","output":7}]');
const brokenLines = write(
  'broken.jsonl',
  '{"instruction":"a","output":"b"}\n{"instruction":\n{"instruction":"c","output":""}\n',
);
const truncated = join(scratch, 'truncated');
cpSync(tinyModel, truncated, { recursive: true });
truncateSync(join(truncated, 'model.safetensors'), 50_000);
const demo = readFileSync(join(root, 'examples/demo.yaml'), 'utf8');
const train = (model: string, data: string) => [
  'train',
  'sft',
  '--model',
  model,
  '--data',
  data,
  '--out',
  join(scratch, 'out'),
];

const cases: [string, string[], RegExp[]][] = [
  ['no such model', train(join(scratch, 'no-model'), goodData), [/no such model/, /no-model/]],
  ['a truncated safetensors', train(truncated, goodData), [/truncated\/model\.safetensors/, /truncated: tensor/]],
  ['a JSON array with a broken row', train(tinyModel, brokenArray), [/broken\.json:1/, /output/]],
  ['JSON Lines with broken rows', train(tinyModel, brokenLines), [/broken\.jsonl:2/, /broken\.jsonl:3/]],
  ['a broken row, validated', ['data', 'validate', brokenArray], [/broken\.json:1/, /output/]],
  [
    'an unknown key',
    ['run', write('key.yaml', demo.replace('learningRate', 'learning_rat'))],
    [/unknown key sft\.learning_rat; did you mean learningRate\?/],
  ],
  [
    'an unknown top key',
    ['run', write('top.yaml', `${demo}\nseedz: []\n`)],
    [/unknown key seedz; did you mean seeds\?/],
  ],
  ['a wrong value', ['run', write('value.yaml', demo.replace('epochs: 1', 'epochs: none'))], [/sft\.epochs/]],
  ['no YAML', ['run', write('no.yaml', 'name: [')], [/no\.yaml:1/]],
  ['no such settings file', ['run', join(scratch, 'nothing.yaml')], [/no such file/, /init/]],
  ['an unknown command', ['trian'], [/unknown command 'trian'/, /Did you mean train/]],
  ['an unknown subcommand', ['train', 'stf'], [/unknown command 'stf'/, /sft/]],
  ['an unknown option', [...train(tinyModel, goodData), '--epohcs', '3'], [/unknown option '--epohcs'/, /--epochs/]],
  ['a missing option', ['train', 'sft', '--model', tinyModel], [/--data/]],
  ['a value that is no number', [...train(tinyModel, goodData), '--epochs', 'many'], [/--epochs/, /whole number/]],
  ['a missing data file', train(tinyModel, join(scratch, 'absent.json')), [/no such file.*absent\.json/]],
  [
    'a missing prompts file',
    ['answer', '--model', tinyModel, '--prompts', join(scratch, 'absent.jsonl'), '--out', join(scratch, 'a')],
    [/no such file.*absent\.jsonl/],
  ],
  [
    'a judge whose GGUF file is missing',
    [
      'run',
      write(
        'gguf.yaml',
        demo.replace('judge: { provider: local, model: builtin }', 'judge: { provider: gguf, model: absent.gguf }'),
      ),
    ],
    [/no such file: absent\.gguf/, /GGUF file/],
  ],
  [
    'a teacher that is no GGUF file',
    ['generate', 'answers', '--data', goodData, '--provider', 'gguf', '--model', goodData, '--out', join(scratch, 'g')],
    [/expected a GGUF file/],
  ],
  [
    'unequal counts',
    ['evaluate', 'rouge', '--answers', goodData, '--references', write('two.json', '[{"output":"a"},{"output":"b"}]')],
    [/1.*2/],
  ],
  [
    'a key that is missing',
    [
      'generate',
      '--provider',
      'openai',
      '--model',
      'gpt-5-mini',
      '--count',
      '1',
      '--out',
      join(scratch, 'g1'),
      '--budget-usd',
      '1',
    ],
    [/OPENAI_API_KEY/],
  ],
  ['a report of nothing', ['report', scratch], [/holds no finished run/]],
];

describe('bad input', () => {
  it.each(cases)('%s', async (_, args, messages) => {
    // Where libtorch and the addon would be: nothing. Bad input is found without them.
    const { code, stdout, stderr } = await understudy(args, { env: { UNDERSTUDY_HOME: join(scratch, 'empty-home') } });
    for (const message of messages) expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(10);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  const generateFrom = (baseUrl: string, env: Record<string, string>) =>
    understudy(
      [
        'generate',
        '--provider',
        'openai-compatible',
        '--base-url',
        baseUrl,
        '--model',
        'm',
        '--count',
        '1',
        '--yes',
      ].concat(['--api-key-env', 'TEST_SERVER_KEY', '--out', mkdtempSync(join(scratch, 'generate-'))]),
      { env: { TEST_SERVER_KEY: 'sk-very-secret-value', ...env } },
    );

  it('an endpoint that does not answer, at the first probe', async () => {
    const { code, stderr } = await generateFrom('http://127.0.0.1:9/v1', {});
    expect(stderr).toMatch(/127\.0\.0\.1:9/);
    expect(code).toBe(2);
    expect(stderr).not.toContain('sk-very-secret-value');
  });

  it('a wrong key', async () => {
    const body = '{"error":{"message":"Incorrect API key provided: sk-very-secret-value"}}';
    const server = await startChatServer({ models: { status: 401, body } });
    const { code, stderr } = await generateFrom(server.baseUrl, {});
    await server.close();
    expect(stderr).toMatch(/TEST_SERVER_KEY/);
    expect(code).toBe(2);
    expect(stderr).not.toContain('sk-very-secret-value');
  });
});
