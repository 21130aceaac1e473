/** Comparison data through the program, from a server of the OpenAI protocol. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryName } from '../../src/base/atomic.ts';
import { readPreferences } from '../../src/data/formats.ts';
import { chatServer } from './chat-server.ts';
import { tinyModel, understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-feedback-'));
const at = (name: string): string => join(scratch, name);
const write = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return at(name);
};
const reading = (file: string): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const frames = (prompt: string): string[] =>
  [...prompt.matchAll(/^(?:Answer |回答)[\dAB]+[:：]\n<<< (\w+)\n([\s\S]*?)\n>>> \1$/gm)].map(
    ([, , text]) => text as string,
  );

/** As a judge, scores answers by what they say they are worth, prefers the longer; as a model, answers. */
function reply(model: string, prompt: string): string {
  if (model !== 'judge') return `${model} on ${prompt}, worth ${model === 'good' ? 8 : 5}`;
  const shown = frames(prompt);
  if (prompt.includes('nonsense')) return 'Both are fine.';
  if (prompt.includes('[[C]]')) return `[[${(shown[0] ?? '').length > (shown[1] ?? '').length ? 'A' : 'B'}]]`;
  return shown.map((text, i) => `Answer ${i + 1}: as it says. [[${/worth ([\d.]+)/.exec(text)?.[1]}]]`).join('\n');
}

/** The request that never gets an answer, as the program dies while it waits. */
let killAt: { readonly n: number; readonly kill: () => void } | undefined;
let refuseFrom = Number.POSITIVE_INFINITY;
const server = chatServer({
  fault: (n) => {
    if (killAt?.n === n) {
      killAt.kill();
      return { kind: 'silent' };
    }
    return n < refuseFrom ? undefined : { kind: 'status', status: 503, headers: { 'retry-after': '60' } };
  },
  reply: ({ model, messages }) => reply(model, messages[0]?.content as string),
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const judge = () => server.flags('judge');
const numServed = () => server.requests.length;
const feedback = (...args: string[]) => understudy(['feedback', ...args]);
async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await feedback(...args, '--json');
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const prompts = write('prompts.jsonl', [
  { id: 'a', prompt: 'Say A' },
  { id: 'b', instruction: 'Say B' },
  { broken: true },
  { id: 'c', prompt: '说丙' },
]);
const old = write('old.jsonl', [
  { id: 'a', output: 'old, worth 8' },
  { id: 'b', output: 'old, worth 2.5' },
  { id: 'c', output: 'old, worth 5' },
]);
const sources = () => ['--answers', `davinci=${old}`, '--models', `good=openai-compatible:good@${server.baseUrl}`];

describe('feedback', () => {
  it('compares files and models, prints a table or a document, and every form trains a reward model', async () => {
    const out = at('ranked.jsonl');
    const words = [prompts, ...sources(), ...judge(), '--out', out];
    const result = await json(...words);
    expect(result).toMatchObject({
      ...{ out, rejects: `${out}.rejects.jsonl`, form: 'ranked', teacher: 'openai-compatible:judge' },
      ...{ rows: 4, broken: 1, prompts: 3, compared: 3, written: 3, rejected: { 'broken row': 1 } },
      yield: { twos: 3, pairs: 2, ties: 1, byMargin: [{ pairs: 0 }, { pairs: 0 }, { pairs: 0 }, {}, {}] },
    });
    expect(server.requests.map(({ model }) => model).toSorted()).toEqual([
      'good',
      'good',
      'good',
      'judge',
      'judge',
      'judge',
    ]);
    for (const { messages } of server.requests)
      expect(messages[0]?.content).not.toMatch(/davinci|old\.jsonl|prompts\.jsonl/);
    expect(reading(`${out}.rejects.jsonl`)).toMatchObject([{ row: 3, reason: 'broken row', value: { broken: true } }]);

    const before = numServed();
    const shown = await feedback(...words);
    expect(numServed()).toBe(before);
    expect(shown.stdout.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual(
      expect.arrayContaining([
        ['margin', 'twos'],
        ['3+', '2', '66.7 %', '█'.repeat(40)],
        ['ties', '1', '33.3 %', '█'.repeat(20)],
        ['failed', '0', '0.0 %'],
        ['all twos', '3'],
        ['scores given: 2.5 × 1, 5 × 1, 8 × 4'],
        ['davinci: mean 5.17; answers compared 3'],
        ['verdicts: asked 3, read 3'],
      ]),
    );

    const forms = { ranked: 3, preference: 3, 'comparison-v1': 3, 'comparison-v2': 3 };
    for (const form of Object.keys(forms)) {
      const ties = form === 'comparison-v2' ? [] : ['--ties', 'head-to-head'];
      const file = at(`${form}.json`);
      await json(...words, '--ledger', `${out}.ledger.sqlite`, '--form', form, ...ties, '--out', file);
      const read = readPreferences(file);
      expect([form, read.length]).toEqual([form, forms[form as keyof typeof forms]]);
      const best = read.map(({ answers }) => answers.find(({ rank }) => rank === 1)?.content);
      expect(best[1]).toBe('good on Say B, worth 8');
      expect(read.map(({ answers }) => answers.filter(({ rank }) => rank === 1).length)).toEqual(
        form === 'comparison-v2' ? [2, 1, 1] : [1, 1, 1],
      );
    }
    // Both orders of one tie, once for all forms.
    expect(numServed() - before).toBe(2);
    const data = Object.keys(forms).map((form) => at(`${form}.json`));
    const reward = [
      'train',
      'reward',
      '--model',
      tinyModel,
      '--out',
      at('reward'),
      '--epochs',
      '1',
      '--dtype',
      'float32',
    ];
    const trained = await understudy([...reward, '--data', ...data, '--json']);
    expect(trained.code, trained.stderr).toBe(0);
  });

  it('a row leads to its calls', async () => {
    const out = at('ranked.jsonl');
    const show = ['ledger', 'show', `${out}.ledger.sqlite`, '--row', `${out}:2`, '--json'];
    const { code, stdout, stderr } = await understudy(show);
    expect(code, stderr).toBe(0);
    const { calls } = JSON.parse(stdout) as { calls: { stage: string; answer: { text: string } }[] };
    expect(calls.map(({ stage, answer }) => [stage, answer.text.split('\n').length])).toEqual([
      ['feedback-answers', 1],
      ['feedback-scores', 2],
    ]);
  });

  it('is stopped while the server is down, with nothing written, and goes on from there', async () => {
    const out = at('resumed.jsonl');
    const words = [prompts, ...sources(), ...judge(), '--concurrency', '1', '--out', out];
    const before = numServed();
    refuseFrom = numServed() + 4;
    const cut = await understudy(['feedback', ...words], {
      onStderr: (text) => (text.includes('again in') && !text.includes('stopping') ? 'SIGINT' : undefined),
    });
    refuseFrom = Number.POSITIVE_INFINITY;
    expect([cut.code, existsSync(out)], cut.stderr).toEqual([130, false]);
    expect(readdirSync(scratch).filter((name) => name.includes('.tmp-'))).toEqual([]);
    const stored = numServed() - before;
    expect(stored).toBeGreaterThan(4);
    await json(...words);
    expect(numServed() - before - stored).toBe(2);
    expect(readFileSync(out, 'utf8')).toBe(readFileSync(at('ranked.jsonl'), 'utf8'));
  });

  it('killed again and again, leaves in the end no file but its own, and touches none of a living process', async () => {
    const folder = at('killed');
    mkdirSync(folder);
    const out = join(folder, 'ranked.jsonl');
    // Of another process that writes the same file: this one.
    const other = basename(temporaryName(out));
    writeFileSync(join(folder, other), 'half');
    const words = [prompts, ...sources(), ...judge(), '--concurrency', '1', '--out', out];
    const hidden = () => readdirSync(folder).filter((name) => name.includes('.tmp-') && name !== other);
    const before = numServed();
    // While the models answer, and while the judge scores.
    for (const requests of [2, 4]) {
      let pid = 0;
      killAt = { n: before + requests, kill: () => process.kill(pid, 'SIGKILL') };
      const killed = await understudy(['feedback', ...words], {
        onSpawn: (own) => {
          pid = own;
        },
      });
      expect([killed.signal, existsSync(out)], killed.stderr).toEqual(['SIGKILL', false]);
      // Rows, rejects, and what is gone through several times: of the last process alone.
      expect(hidden().length).toBeGreaterThanOrEqual(3);
      expect(hidden().filter((name) => !name.includes(`.tmp-${pid}-`))).toEqual([]);
    }
    killAt = undefined;
    await json(...words);
    expect(hidden()).toEqual([]);
    expect(readFileSync(join(folder, other), 'utf8')).toBe('half');
    expect(readFileSync(out, 'utf8')).toBe(readFileSync(at('ranked.jsonl'), 'utf8'));
  });

  it('says so where no verdict can be read, and keeps what was said', async () => {
    const asked = write('nonsense.jsonl', [
      { prompt: 'Talk nonsense', answers: ['x', 'y'].map((content, i) => ({ content, rank: i + 1 })) },
    ]);
    const { code, stderr, stdout } = await feedback(asked, ...judge(), '--out', at('none.jsonl'));
    expect([code, stderr]).toEqual([0, expect.stringContaining('no verdict could be read')]);
    expect(stdout).toMatch(/^unreadable +1 +100\.0 %/m);
    expect(reading(at('none.jsonl.rejects.jsonl'))).toMatchObject([
      { reason: 'unreadable verdict', text: 'Both are fine.', calls: { length: 3 } },
      { reason: 'unreadable', detail: '0 of 2 answers have a score' },
    ]);
  });

  it('models of a file, with their own settings; comparisons scored again', async () => {
    const yaml = at('models.yaml');
    const teacher = `{ provider: openai-compatible, model: MODEL, baseUrl: "${server.baseUrl}" }`;
    const entry = (name: string, more = '') => `- name: ${name}\n  teacher: ${teacher.replace('MODEL', name)}\n${more}`;
    writeFileSync(yaml, `${entry('good', '  maxTokens: 32\n')}${entry('bad', '  samples: 2\n  temperature: 0.7\n')}`);
    const two = await json(prompts, '--answerers', yaml, ...judge(), '--out', at('two.jsonl'));
    expect(two).toMatchObject({ answers: { good: { compared: 3 }, bad: { compared: 3, same: 3 } }, written: 3 });
    const again = await json(at('ranked.jsonl'), ...judge(), '--form', 'preference', '--out', at('again.jsonl'));
    expect(again).toMatchObject({ compared: 3, written: 2, rejected: { 'all tied': 1 } });
    expect(reading(at('again.jsonl'))[0]).toMatchObject({
      source_chosen: 'good',
      source_rejected: 'davinci',
      margin: 5.5,
    });
  });

  it('a model on this machine scores without a key', async () => {
    const out = at('likely.jsonl');
    const words = [prompts, ...sources(), '--scorer', 'logprob', '--model', tinyModel, '--out', out];
    const result = await json(...words);
    expect(result).toMatchObject({ written: 3, verdicts: { asked: 6, read: 6 }, yield: { pairs: 3, ties: 0 } });
    for (const { answers } of readPreferences(out)) for (const { score } of answers) expect(score).toBeLessThan(0);
    expect(reading(out)[0]).toMatchObject({ scorer: expect.stringMatching(/^logprob:local:llama-tied@/) });
    const again = await json(...words, '--form', 'preference', '--out', out);
    expect(again).toMatchObject({ written: 3, yield: result['yield'] });
  });

  it.each<[string, () => string[], RegExp]>([
    ['a model without a name', () => [prompts, '--models', 'builtin'], /expected NAME=MODEL, got "builtin"/],
    [
      'a server without an address',
      () => [prompts, '--models', 'a=openai-compatible:m'],
      /openai-compatible:MODEL@URL/,
    ],
    ['answers without a name', () => [prompts, '--answers', old], /--answers: expected NAME=FILE/],
    ['samples of nobody', () => [prompts, '--answers', `a=${old}`, '--samples', '2'], /--samples is for --models/],
    [
      'samples that are all the same',
      () => [prompts, '--models', 'a=builtin', '--samples', '2', '--answer-temperature', '0'],
      /temperature above 0 with 2 samples/,
    ],
    ['a folder that is no model', () => [prompts, '--models', `a=${scratch}`], /is not a model folder/],
    ['nothing to compare', () => [prompts], /nothing to compare/],
    ['no such file', () => [at('absent.jsonl'), '--models', 'a=builtin'], /no such file.*absent\.jsonl/],
    [
      'one verdict to average',
      () => [prompts, '--answers', `a=${old}`, '--ties', 'expected', '--verdicts', '1'],
      /two or more to average/,
    ],
    [
      'verdicts that nobody averages',
      () => [prompts, '--answers', `a=${old}`, '--verdicts', '3'],
      /with ties: expected/,
    ],
    [
      'wins in a form of scores',
      () => [prompts, '--answers', `a=${old}`, '--ties', 'head-to-head', '--form', 'comparison-v2'],
      /comparison-v2 has scores alone/,
    ],
    [
      'log-probabilities of a service',
      () => [prompts, '--answers', `a=${old}`, '--scorer', 'logprob'],
      /expected a model on this machine/,
    ],
    [
      'a list of models that is none',
      () => [prompts, '--answerers', write('x.yaml', [{ a: 1 }])],
      /expected a list of models/,
    ],
    [
      'one file for both',
      () => [prompts, '--answers', `a=${old}`, '--rejects', at('refused/out.jsonl')],
      /are the same file/,
    ],
  ])('refuses %s before anybody is asked, and writes nothing', async (_, args, message) => {
    const before = numServed();
    const { code, stdout, stderr } = await feedback(...args(), ...judge(), '--out', at('refused/out.jsonl'));
    expect(stderr).toMatch(message);
    expect([code, stdout, existsSync(at('refused')), numServed()]).toEqual([2, '', false, before]);
  });
});
