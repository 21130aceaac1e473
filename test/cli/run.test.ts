import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { filesUnder, hashesUnder, tinyModel, understudy } from './program.ts';

/** The whole chain on a tiny model: recorded teacher, fine-tuning, evaluation, report; killed and gone on with. */
const scratch = mkdtempSync(join(tmpdir(), 'understudy-run-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const jsonl = (name: string, rows: object[]): string => {
  writeFileSync(join(scratch, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return join(scratch, name);
};
const task = (id: string, instruction: string, output: string) => ({
  id,
  category: 'generic',
  classification: false,
  instruction,
  input: '',
  output,
});
const colours = ['red', 'blue', 'green', 'grey', 'pink', 'brown', 'white', 'black', 'gold', 'teal'];
const seeds = jsonl(
  'seeds.jsonl',
  colours.flatMap((colour, i) => [
    task(`en-${i}`, `Name something that is ${colour} and fits in one hand.`, `A ${colour} button.`),
    task(`zh-${i}`, `说一件${colour}的东西。`, `${colour}的扣子。`),
  ]),
);
const questions = jsonl(
  'questions.jsonl',
  colours
    .slice(0, 8)
    .map((colour, i) => task(`q-${i}`, `What thing could be called ${colour}?`, `A ${colour} button.`)),
);
const config = join(scratch, 'run.yaml');
writeFileSync(
  config,
  `
name: Tiny
output: ${scratch}/out
seeds: [${seeds}]
answer:
  instructions: [${seeds}]
  teacher: { provider: recorded, files: [${seeds}] }
generate:
  teacher: { provider: local, model: ${tinyModel} }
  count: 4
  examplesPerPrompt: 2
  instructionTokens: 8
  answerTokens: 8
sft: { model: ${tinyModel}, dtype: float32, epochs: 6, learningRate: 0.01, batchTokens: 256, packTokens: 256, checkpointEverySteps: 2 }
evaluate:
  questions: [${questions}]
  maxTokens: 8
  judge: { provider: local, model: ${tinyModel} }
  judgeTokens: 4
  scorer: { model: ${tinyModel}, examples: 1 }
about: [A test.]
`,
);

/** Everything a run leaves that must not depend on how often it was killed. */
const results = (folder: string): Record<string, string> =>
  hashesUnder(folder, /(model\.safetensors|data\.jsonl|rows\.jsonl|summary\.json)$/);

describe('run', () => {
  it('does the whole chain, finds it done the second time, and ends equal after kills', async () => {
    const first = await understudy(['run', config, '--json']);
    expect(first.stderr).toContain('training');
    expect(first.code).toBe(0);
    const { report, model, summary } = JSON.parse(first.stdout) as {
      report: string;
      model: string;
      summary: { questions: number };
    };
    expect(existsSync(report) && existsSync(join(model, 'config.json'))).toBe(true);
    expect(summary.questions).toBe(8);
    const page = readFileSync(report, 'utf8');
    for (const word of ['A test.', 'recorded:seeds.jsonl', 'ROUGE']) expect(page).toContain(word);
    expect(statSync(join(scratch, 'out')).mode & 0o077).toBe(0);

    const before = filesUnder(join(scratch, 'out')).map((name) => [name, statSync(join(scratch, 'out', name)).mtimeMs]);
    const second = await understudy(['run', config]);
    expect(second.code).toBe(0);
    expect(second.stderr.match(/done before/g)?.length).toBe(4);
    expect(second.stdout).toContain('Held-out loss');
    const after = filesUnder(join(scratch, 'out')).map((name) => [name, statSync(join(scratch, 'out', name)).mtimeMs]);
    const changed = after.filter(
      ([name, time]) => !before.some(([other, earlier]) => other === name && earlier === time),
    );
    expect(changed.map(([name]) => String(name)).filter((name) => !/^report\/|ledger/.test(name))).toEqual([]);

    // Killed where each stage is at work.
    const killed = join(scratch, 'killed');
    let kills = 0;
    for (const sign of ['new instructions', 'training 1/', 'answers before', 'judging']) {
      const { signal } = await understudy(['run', config, '--out', killed], {
        onStderr: (text) => (text.includes(sign) ? 'SIGKILL' : undefined),
      });
      if (signal === 'SIGKILL') kills += 1;
    }
    expect(kills).toBe(4);
    expect((await understudy(['run', config, '--out', killed])).code).toBe(0);
    expect(results(killed)).toEqual(results(join(scratch, 'out')));
    const ledger = (folder: string) => {
      const database = new Database(join(folder, 'ledger.sqlite'), { readonly: true });
      const rows = database.prepare('SELECT key, state, answer FROM calls ORDER BY key').all() as {
        key: string;
        state: string;
        answer: string;
      }[];
      database.close();
      return rows.map(({ key, state, answer }) => ({ key, state, answer }));
    };
    expect(ledger(killed)).toEqual(ledger(join(scratch, 'out')));
  });

  it('refuses new tokens beside adapters before anything is asked', async () => {
    const file = join(scratch, 'lora.yaml');
    const sft = `sft: { model: ${tinyModel}, lora: { rank: 4 }, addTokens: ['<|turn|>'],`;
    writeFileSync(file, readFileSync(config, 'utf8').replace(`sft: { model: ${tinyModel},`, sft));
    const out = join(scratch, 'lora');
    const { code, stderr } = await understudy(['run', file, '--out', out, '--ignore-memory']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/addTokens: <\|turn\|>: new to the model, and with lora its embeddings are frozen/);
    expect(filesUnder(out).filter((name) => name.includes('data'))).toEqual([]);

    writeFileSync(file, readFileSync(file, 'utf8').replace("'<|turn|>'", "''"));
    expect((await understudy(['run', file, '--out', out])).stderr).toMatch(/addTokens: expected different tokens/);
  });

  it('writes an example that it accepts, but for the key', async () => {
    expect((await understudy(['init'], { cwd: scratch })).code).toBe(0);
    const schema = JSON.parse(readFileSync(join(scratch, 'understudy.schema.json'), 'utf8')) as { properties: object };
    expect(Object.keys(schema.properties)).toContain('evaluate');
    const { code, stderr } = await understudy(['run'], { cwd: scratch });
    expect([code, stderr]).toEqual([2, expect.stringContaining('OPENAI_API_KEY')]);
    const again = await understudy(['init'], { cwd: scratch });
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('is there already')]);
  });

  describe('with a paid teacher', () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.setHeader('content-type', 'application/json');
      response.end('{"object":"list","data":[{"id":"m"}]}');
    });
    beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
    afterAll(() => {
      server.close();
    });
    beforeEach(() => {
      asked.length = 0;
    });

    /** The file of the whole chain, with a teacher that costs money and another student. */
    const paidFor = (name: string, student = tinyModel): string => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
      const price = '{ inputUsdPerMillion: 1, outputUsdPerMillion: 10 }';
      const teacher = `{ provider: openai-compatible, model: m, baseUrl: "${url}", price: ${price} }`;
      const file = join(scratch, `${name}.yaml`);
      writeFileSync(
        file,
        readFileSync(config, 'utf8')
          .replace(/teacher: \{ provider: recorded.*/, `teacher: ${teacher}`)
          .replace(`sft: { model: ${tinyModel}`, `sft: { model: ${student}`),
      );
      return file;
    };

    it('quotes what it costs at most, and spends nothing without a budget or a yes', async () => {
      const { code, stderr } = await understudy(['run', paidFor('paid'), '--out', join(scratch, 'paid')]);
      // 20 prompts of at most 60 bytes and 16 tokens around, 20 answers of at most 1,024 tokens at $10 a million.
      expect(stderr).toMatch(/openai-compatible:m costs money: 20 calls, \$0\.21 at the very most/);
      expect([code, asked.filter((path) => !path.endsWith('/models'))]).toEqual([2, []]);
    });

    it('asks nobody where the training is clearly beyond this machine, unless told to go on', async () => {
      const huge = join(scratch, 'huge');
      mkdirSync(huge);
      const described = {
        ...(JSON.parse(readFileSync(join(tinyModel, 'config.json'), 'utf8')) as object),
        hidden_size: 65_536,
        intermediate_size: 262_144,
        num_attention_heads: 512,
        num_key_value_heads: 512,
        num_hidden_layers: 100,
        max_position_embeddings: 4096,
        head_dim: 128,
      };
      writeFileSync(join(huge, 'config.json'), JSON.stringify(described));
      const out = join(scratch, 'refused');
      const args = ['run', paidFor('huge', huge), '--out', out, '--yes'];
      const refused = await understudy(args);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/GB of memory; .* are available here/)]);
      expect(refused.stderr).toContain('--ignore-memory');
      expect(asked).toEqual([]);
      expect(filesUnder(out).filter((name) => !name.includes('ledger'))).toEqual([]);
      const forced = await understudy([...args.filter((arg) => arg !== '--yes'), '--ignore-memory']);
      expect([forced.code, forced.stderr]).toEqual([2, expect.stringContaining('costs money')]);
      expect(forced.stderr).not.toContain('of memory');
    });
  });
});
