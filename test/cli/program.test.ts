import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tinyModel, understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-cli-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const jsonl = (name: string, rows: unknown[]): string => {
  writeFileSync(join(scratch, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return join(scratch, name);
};

const data = jsonl(
  'data.jsonl',
  Array.from({ length: 40 }, (_, i) => ({
    instruction: `Count to ${i}.`,
    output: `${i} it is, and no more than ${i}.`,
  })),
);
const trainInto = (name: string) =>
  ['train', 'sft', '--model', tinyModel, '--data', data, '--out', join(scratch, name), '--dtype', 'float32'].concat([
    '--epochs',
    '6',
    '--batch-tokens',
    '256',
    '--checkpoint-every',
    '4',
    '--lr',
    '0.002',
    '--json',
  ]);

describe('the program', () => {
  it('shows help with an example for every command', async () => {
    const helpOf = async (words: readonly string[]): Promise<string> => {
      const { code, stdout } = await understudy([...words, '--help']);
      expect([words, code]).toEqual([words, 0]);
      return stdout;
    };
    const leaves: string[] = [];
    const visit = async (words: readonly string[]): Promise<void> => {
      const help = await helpOf(words);
      const [, list = ''] = help.split(/^Commands:$/m);
      const names = [...list.matchAll(/^ {2}([a-z-]+)[ |\n]/gm)].map(([, name]) => name as string);
      if (names.length === 0 || help.includes('Example:')) {
        expect([words, help]).toEqual([words, expect.stringMatching(/Example:\n {2}\$ \.\/understudy /)]);
        leaves.push(words.join(' '));
      }
      for (const name of names) if (name !== 'help') await visit([...words, name]);
    };
    await visit([]);
    // Some, of each depth: the walk would find nothing if the help changed its form.
    expect(leaves).toEqual(
      expect.arrayContaining(['doctor', 'run', 'generate', 'generate answers', 'data stats', 'evaluate judge']),
    );
  });

  it('trains, is killed with -9 in the middle, goes on, and ends with the same bytes', async () => {
    const whole = await understudy(trainInto('whole'));
    expect(whole.stderr).toContain('training');
    expect(whole.code).toBe(0);
    expect((JSON.parse(whole.stdout) as { steps: number }).steps).toBe(18);

    let kills = 0;
    for (const steps of [5, 12]) {
      const log = join(scratch, 'killed', 'train.jsonl');
      let pid: number | undefined;
      const onSpawn = (spawned: number) => {
        pid = spawned;
      };
      const running = understudy(trainInto('killed'), { onSpawn });
      const poll = setInterval(() => {
        const done = existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0;
        // The program alone: its engine has to notice by itself, and must not disturb the next start.
        if (pid !== undefined && done >= steps) process.kill(pid, 'SIGKILL');
      }, 5);
      const { signal } = await running;
      clearInterval(poll);
      if (signal === 'SIGKILL') kills += 1;
    }
    const last = await understudy(trainInto('killed'));
    expect(kills).toBe(2);
    expect(last.code).toBe(0);
    expect(last.stderr).toMatch(/going on after step \d+/);
    const weights = (name: string) => readFileSync(join(scratch, name, 'model.safetensors'));
    expect(weights('killed').equals(weights('whole'))).toBe(true);
  });

  it('answers a file of prompts, keeps what is there, refuses to mix settings', async () => {
    const prompts = jsonl('prompts.jsonl', [
      { id: 'a', instruction: 'Count to 3.' },
      { id: 'b', prompt: 'Count to 5.' },
      { id: 'c', messages: [{ role: 'user', content: 'Hi' }] },
    ]);
    const out = join(scratch, 'answers.jsonl');
    const args = [
      'answer',
      '--model',
      tinyModel,
      '--prompts',
      prompts,
      '--out',
      out,
      '--max-tokens',
      '5',
      '--batch',
      '2',
    ];
    expect((await understudy(args)).code).toBe(0);
    const text = readFileSync(out, 'utf8');
    const rows = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(rows.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    for (const row of rows) expect(Object.keys(row)).toEqual(['id', 'prompt', 'output', 'finishReason']);

    writeFileSync(out, text.slice(0, text.indexOf('\n') + 20)); // as a kill would leave it
    expect((await understudy(args)).code).toBe(0);
    expect(readFileSync(out, 'utf8')).toBe(text);

    const other = await understudy([...args, '--temperature', '1']);
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('made with other prompts or settings')]);
  });

  it('prints exactly one JSON document with --json, and the rest elsewhere', async () => {
    const file = jsonl('rouge.jsonl', [{ output: 'the cat sat' }, { output: '我爱北京' }]);
    const { stdout, code } = await understudy(['evaluate', 'rouge', '--answers', file, '--references', file, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      all: { n: 1, rougeL: 1, rouge1: 1, rouge2: 1, intervals: { rougeL: { low: 1, high: 1 } } },
      buckets: [
        { bucket: '0-2', n: 0, rougeL: null },
        { bucket: '3-5', n: 1, rougeL: 1 },
        { bucket: '6-10', n: 0, rougeL: null },
        { bucket: '>10', n: 0, rougeL: null },
      ],
      cjk: { n: 1, rougeL: 1 },
    });
    const doctor = await understudy(['doctor', '--json']);
    expect(JSON.parse(doctor.stdout)).toMatchObject({ ok: true, engine: { threads: expect.any(Number) } });
  });

  it('chats, streaming, from a pipe', async () => {
    const { code, stdout } = await understudy(['chat', '--model', tinyModel, '--max-tokens', '4'], {
      input: 'Hello\n/new\nAgain\n',
    });
    expect(code).toBe(0);
    expect(stdout.match(/model /g)?.length).toBe(2);
  });

  it('saves and ends with code 130 on Ctrl-C', async () => {
    let sent = false;
    const { code, stderr } = await understudy(trainInto('interrupted'), {
      onStderr(text) {
        if (sent || !/training \d+\//.test(text)) return undefined;
        sent = true;
        return 'SIGINT';
      },
    });
    expect(stderr).toMatch(/saved after step \d+/);
    expect(code).toBe(130);
    expect(existsSync(join(scratch, 'interrupted', 'config.json'))).toBe(false);
    expect((await understudy(trainInto('interrupted'))).code).toBe(0);
  });

  it('rewrites data in another form and back', async () => {
    const [alpaca, messages] = [join(scratch, 'alpaca.json'), join(scratch, 'messages.jsonl')];
    const converted = await understudy(['data', 'convert', data, '--to', 'alpaca', '--out', alpaca]);
    expect(converted.code).toBe(0);
    const rows = JSON.parse(readFileSync(alpaca, 'utf8')) as { instruction: string; output: string }[];
    expect((await understudy(['data', 'convert', alpaca, '--to', 'messages', '--out', messages])).code).toBe(0);
    const back = readFileSync(messages, 'utf8').trim().split('\n');
    expect(back).toHaveLength(rows.length);
    expect(JSON.parse(back[0]!).messages.at(-1).content).toBe(rows[0]!.output);
  });

  it('needs no libtorch for words', async () => {
    const env = { UNDERSTUDY_HOME: join(scratch, 'nowhere') };
    expect((await understudy(['data', 'validate', data], { env })).code).toBe(0);
    const missing = await understudy(['doctor', '--json'], { env });
    expect(missing.code).toBe(1);
    expect(JSON.parse(missing.stdout)).toMatchObject({ ok: false, engine: null });
  });
});
