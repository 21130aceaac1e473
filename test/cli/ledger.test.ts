import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TeacherError } from '../../src/base/errors.ts';
import { toMessagesJsonl } from '../../src/data/formats.ts';
import type { Conversation } from '../../src/data/records.ts';
import { askAll } from '../../src/teacher/caller.ts';
import { Ledger, type LedgerEntry } from '../../src/teacher/ledger.ts';
import type { LedgerBatch } from '../../src/teacher/ledger-batches.ts';
import { openRecorded } from '../../src/teacher/recorded.ts';
import { requestKey } from '../../src/teacher/request-key.ts';
import type { TeacherRequest } from '../../src/teacher/teacher.ts';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-ledger-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Words alone: where libtorch would be, there is nothing. */
const ledger = (...args: string[]) =>
  understudy(['ledger', ...args], {
    env: { UNDERSTUDY_HOME: join(scratch, 'nowhere'), OPENAI_API_KEY: 'sk-secret-of-mine-12345' },
  });
const folder = (): string => mkdtempSync(join(scratch, 'case-'));
const fromLines = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

const entry = (content: string, stage = 'given'): LedgerEntry => {
  const request = {
    model: 'm',
    messages: [{ role: 'user' as const, content }],
    parameters: { maxTokens: 9 },
    sample: 0,
  };
  return { key: requestKey(request), request, teacher: 'paid:m', stage, upperBoundUsd: 0.5 };
};
const answered = (one: LedgerEntry, text: string) => {
  const answer = {
    text,
    finishReason: 'stop' as const,
    usage: { inputTokens: 10, outputTokens: 5 },
    raw: { id: text },
  };
  return { ...one, answer, costUsd: 0.1 };
};

/** A run with a folder for its stage: two answers that became rows, a verdict, a call that failed, one in doubt. */
const run = join(scratch, 'run');
const file = join(run, 'ledger.sqlite');
const data = join(run, 'answer-1', 'data.jsonl');
const tasks = [
  ['Name a river in Spain.', 'The Ebro.'],
  ['说出一条河。', '长江，"the long one".'],
] as const;
let keys: string[];

const requests = (model: string): TeacherRequest[] =>
  tasks.map(([content]) => {
    const parameters = { maxTokens: 64, temperature: 0 };
    return { model, messages: [{ role: 'user', content }], parameters, sample: 0 };
  });

beforeAll(async () => {
  mkdirSync(join(run, 'answer-1'), { recursive: true });
  const recorded = join(run, 'answers.json');
  writeFileSync(recorded, JSON.stringify(tasks.map(([instruction, output]) => ({ instruction, output }))));
  const teacher = openRecorded(recorded);
  const calls = new Ledger(file);
  const outcomes = await askAll(requests(teacher.model), { teacher, ledger: calls, stage: 'given' });
  const conversations = outcomes.map(({ key, request, answer }, i): Conversation => {
    const messages = [...request.messages, { role: 'assistant' as const, content: answer?.text ?? '' }];
    return { id: `task ${i}`, messages, provenance: { source: 'generated', teacher: teacher.name, calls: [key] } };
  });
  writeFileSync(data, toMessagesJsonl(conversations));
  keys = outcomes.map(({ key }) => key);
  const [failed, doubtful, judged] = [entry('fails'), entry('is in doubt'), entry('river or brook?', 'judge')];
  calls.markSent([failed, doubtful, judged]);
  calls.fail([
    { ...failed, error: new TeacherError('the river is shut', { status: 503, retryable: true }), mayHaveCharged: true },
  ]);
  calls.store([answered(judged, 'River.')]);
  calls.close();
});

describe('ledger stats', () => {
  it('adds up by stage and teacher, as a table and as JSON', async () => {
    const { code, stdout, stderr } = await ledger('stats', run);
    expect(code).toBe(0);
    expect(stdout.split('\n').map((line) => line.trim().split(/\s{2,}/))).toEqual([
      [
        'stage',
        'teacher',
        'stored',
        'failed',
        'in doubt',
        'in batches',
        'sendings',
        'tokens in',
        'tokens out',
        'cost',
        '≤ in doubt',
        '≤ in batches',
        '≤ lost',
      ],
      ['given', 'recorded:answers.json', '2', '0', '0', '0', '2', '0', '0', '$0.00', '$0.00', '$0.00', '$0.00'],
      ['given', 'paid:m', '0', '1', '1', '0', '2', '0', '0', '$0.00', '$0.50', '$0.00', '$0.50'],
      ['judge', 'paid:m', '1', '0', '0', '0', '1', '10', '5', '$0.10', '$0.00', '$0.00', '$0.00'],
      ['all', '3', '1', '1', '0', '5', '10', '5', '$0.10', '$0.50', '$0.00', '$0.50'],
      [''],
    ]);
    expect(stderr).toContain('2 stored calls have no count of tokens');
    const json = await ledger('stats', file, '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      ledger: file,
      usedBy: null,
      total: { calls: { stored: 3, failed: 1, inDoubt: 1 }, usd: { stored: 0.1, inDoubt: 0.5, lost: 0.5 } },
      groups: [{ stage: 'given' }, { stage: 'given', teacher: 'paid:m' }, { stage: 'judge' }],
    });
  });

  it('works while a run has the ledger, and says so; so do show, export and verify', async () => {
    const where = folder();
    const open = new Ledger(join(where, 'ledger.sqlite'));
    try {
      const [a, b] = [entry('a'), entry('b')];
      open.markSent([a, b]);
      open.store([answered(a, 'A')]);
      const { code, stdout, stderr } = await ledger('stats', where);
      expect([code, stdout]).toEqual([0, expect.stringMatching(/paid:m +1 +0 +1 +0 +2/)]);
      expect(stderr).toContain(`process ${process.pid} is using the ledger: it may still await`);
      expect((await ledger('show', where, '--key', b.key)).stdout).toContain('sent, given');
      expect((await ledger('verify', where)).code).toBe(0);
      const out = join(where, 'calls.jsonl');
      expect((await ledger('export', where, '--out', out)).code).toBe(0);
      expect(fromLines(readFileSync(out, 'utf8'))).toHaveLength(1);
      // What writes is refused, and the run goes on.
      const refused = await ledger('import', where, out);
      expect([refused.code, refused.stderr]).toEqual([
        2,
        expect.stringContaining(`in use by another run (process ${process.pid})`),
      ]);
      open.store([answered(b, 'B')]);
      expect(open.spent().storedCalls).toBe(2);
    } finally {
      open.close();
    }
  });
});

describe('ledger show', () => {
  it('prints a call in full, by the beginning of its key', async () => {
    const { code, stdout } = await ledger('show', run, '--key', (keys[1] as string).slice(0, 10));
    expect(code).toBe(0);
    for (const part of [
      keys[1],
      'stored, given, recorded:answers.json, sendings: 1',
      '"maxTokens":64,"temperature":0',
      '说出一条河。',
      '长江，"the long one".',
      '"row": 1',
      'cost $ 0',
    ])
      expect(stdout).toContain(part);
    expect(stdout).not.toContain('Ebro');
  });

  it.each<[string, string[], string[]]>([
    ['a text in a message', ['--grep', 'a river in'], ['Name a river in Spain.']],
    ['a text with quotes, in an answer', ['--grep', '"the long'], ['说出一条河。']],
    ['a text in an error', ['--grep', 'river is shut'], ['fails']],
    ['a stage', ['--stage', 'judge', 'other'], ['river or brook?']],
    ['a state', ['--state', 'sent'], ['is in doubt']],
    ['all of several', ['--stage', 'given', '--state', 'stored', '--grep', 'river'], ['Name a river in Spain.']],
  ])('finds by %s', async (_, args, prompts) => {
    const { code, stdout } = await ledger('show', run, ...args, '--json');
    expect(code).toBe(0);
    const { matched, calls } = JSON.parse(stdout) as {
      matched: number;
      calls: { request: { messages: { content: string }[] } }[];
    };
    expect(calls.map(({ request }) => request.messages[0]?.content)).toEqual(prompts);
    expect(matched).toBe(prompts.length);
  });

  it('shows as many as asked for and says how many there are; JSON has all that is known, but for the key of the sending', async () => {
    const { stdout, stderr } = await ledger('show', run, '--stage', 'given', '--limit', '3', '--json');
    const { matched, calls } = JSON.parse(stdout) as { matched: number; calls: Record<string, unknown>[] };
    expect([matched, calls.length]).toEqual([4, 3]);
    expect(stderr).toContain('3 of 4 calls shown; more with --limit 4');
    expect(calls[2]).toMatchObject({
      state: 'failed',
      error: { message: 'the river is shut', status: 503, retryable: true },
      attempts: 1,
      upperBoundUsd: 0.5,
      lostUsd: 0.5,
    });
    expect(stdout).not.toContain('idempotency');
  });

  it('finds the calls that made a row of data, in the ledger above the file', async () => {
    const { code, stdout } = await ledger('show', '--row', `${data}:2`, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ledger: file, matched: 1, missing: [], calls: [{ key: keys[1] }] });
  });

  it('finds them by what the row says, where another form has lost their keys', async () => {
    const alpaca = join(run, 'answer-1', 'alpaca.json.gz');
    expect((await understudy(['data', 'convert', data, '--to', 'alpaca', '--out', alpaca])).code).toBe(0);
    expect(gunzipSync(readFileSync(alpaca)).toString()).not.toContain(keys[0]);
    const { stdout } = await ledger('show', '--row', `${alpaca}:0`, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ matched: 1, calls: [{ key: keys[0] }] });
  });

  it('finds those of a reject and of a verdict', async () => {
    const rows = join(folder(), 'rows.jsonl');
    const reject = { id: 'x', reason: 'cut', call: keys[0] };
    const verdicts = {
      id: 'y',
      judge: [
        { before: 7, call: keys[1] },
        { before: 8, call: keys[0] },
      ],
    };
    const rejected = { reason: 'near duplicate', value: { provenance: { source: 'generated', calls: [keys[1]] } } };
    writeFileSync(rows, [reject, verdicts, rejected].map((row) => `${JSON.stringify(row)}\n`).join(''));
    const calls = async (row: number) => {
      const { stdout } = await ledger('show', run, '--row', `${rows}:${row}`, '--json');
      return (JSON.parse(stdout) as { calls: { key: string }[] }).calls.map(({ key }) => key);
    };
    expect(await calls(1)).toEqual([keys[0]]);
    expect(await calls(2)).toEqual([keys[1], keys[0]]);
    expect(await calls(3)).toEqual([keys[1]]);
  });

  it('says which calls of a row the ledger does not have', async () => {
    const rows = join(folder(), 'rows.jsonl');
    writeFileSync(rows, `${JSON.stringify({ provenance: { calls: [keys[0], 'ab12'] } })}\n`);
    const some = await ledger('show', run, '--row', `${rows}:1`);
    expect([some.code, some.stdout, some.stderr]).toEqual([
      1,
      expect.stringContaining(keys[0] as string),
      expect.stringMatching(/does not have: ab12/),
    ]);
    writeFileSync(rows, '{"call":"ab12"}\n');
    const none = await ledger('show', run, '--row', `${rows}:1`);
    expect([none.code, none.stdout, none.stderr]).toEqual([
      2,
      '',
      expect.stringMatching(/calls of .*rows\.jsonl:1 are not in/),
    ]);
  });

  it.each<[string, string[], RegExp[]]>([
    ['nothing to look for', ['show', run], [/nothing says which calls/, /--key/]],
    ['a row and more', ['show', run, '--row', `${data}:1`, '--key', 'ab'], [/--row names the calls already/]],
    ['no match', ['show', run, '--grep', 'no such words'], [/no call in .* matches/]],
    ['no row', ['show', run, '--row', `${data}:3`], [/data\.jsonl:3: the last row is 2/]],
    ['no place', ['show', run, '--row', data], [/expected a file and a row/]],
    [
      'no ledger above the row',
      ['show', '--row', `${join(scratch, 'far', 'away', 'below', 'x.jsonl')}:1`],
      [/no ledger\.sqlite beside/],
    ],
    ['no ledger', ['stats', join(scratch, 'absent.sqlite')], [/no such ledger: .*absent\.sqlite/]],
    ['another file', ['verify', 'package.json'], [/cannot open the ledger package\.json/]],
    ['a name that says Parquet', ['export', run, '--out', join(scratch, 'x.parquet')], [/JSON Lines/]],
    [
      'a stage without calls',
      ['export', run, '--stage', 'jugde', '--out', join(scratch, 'x.jsonl')],
      [/no stored call of the stage jugde/],
    ],
  ])('refuses %s', async (_, args, messages) => {
    const { code, stdout, stderr } = await ledger(...args);
    expect([code, stdout]).toEqual([2, '']);
    for (const message of messages) expect(stderr).toMatch(message);
    expect(existsSync(join(scratch, 'absent.sqlite'))).toBe(false);
    expect(existsSync(join(scratch, 'x.jsonl'))).toBe(false);
  });
});

describe('ledger export and import', () => {
  it('shares answers with a ledger that then asks for none of them', async () => {
    const where = folder();
    const out = join(where, 'calls.jsonl.gz');
    const { code, stderr } = await ledger('export', run, '--out', out);
    expect([code, stderr]).toEqual([0, expect.stringContaining('3 calls')]);
    const text = gunzipSync(readFileSync(out)).toString();
    const rows = fromLines(text);
    expect(rows.map(({ key }) => key)).toEqual([...keys, entry('river or brook?').key]);
    expect(rows[2]).toEqual({
      key: expect.any(String),
      teacher: 'paid:m',
      stage: 'judge',
      request: entry('river or brook?').request,
      answer: {
        text: 'River.',
        finishReason: 'stop',
        usage: { inputTokens: 10, outputTokens: 5 },
        raw: { id: 'River.' },
      },
      costUsd: 0.1,
      askedAt: expect.stringMatching(/^20/),
      answeredAt: expect.stringMatching(/^20/),
    });
    for (const secret of ['idempotency', 'authorization', 'sk-secret']) expect(text).not.toContain(secret);

    const theirs = join(where, 'theirs', 'ledger.sqlite');
    const imported = await ledger('import', theirs, out, '--json');
    expect(JSON.parse(imported.stdout)).toEqual({ ledger: theirs, rows: 3, added: 3, same: 0, conflicting: [] });
    const again = await ledger('import', theirs, out, out, '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ rows: 6, added: 0, same: 6 });
    expect((await ledger('verify', theirs)).code).toBe(0);
    // Bought elsewhere: free here.
    expect(JSON.parse((await ledger('stats', theirs, '--json')).stdout)).toMatchObject({
      total: { sendings: 0, usd: { stored: 0 } },
    });

    const calls = new Ledger(theirs);
    const nobody = { ...openRecorded(join(run, 'answers.json')), ask: () => Promise.reject(new Error('asked')) };
    const outcomes = await askAll(requests(nobody.model), { teacher: nobody, ledger: calls, stage: 'given' });
    calls.close();
    expect(outcomes.map(({ answer }) => answer?.text)).toEqual(tasks.map(([, output]) => output));
  });

  it('exports some stages, counts costs where they are wanted, leaves what is stored', async () => {
    const where = folder();
    const out = join(where, 'judge.jsonl');
    await ledger('export', run, '--stage', 'judge', '--out', out);
    const mine = new Ledger(join(where, 'ledger.sqlite'));
    mine.store([answered(entry('river or brook?', 'judge'), 'Brook.')]);
    mine.close();
    const { code, stdout, stderr } = await ledger('import', where, out, '--json');
    const key = entry('river or brook?').key;
    expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ added: 0, same: 0, conflicting: [key] })]);
    expect(stderr).toContain(`answered otherwise here, and left so: ${key}`);
    expect((await ledger('show', where, '--key', key)).stdout).toContain('Brook.');
    const bought = join(where, 'bought.sqlite');
    await ledger('import', bought, out, '--with-costs');
    expect(JSON.parse((await ledger('stats', bought, '--json')).stdout)).toMatchObject({
      total: { usd: { stored: 0.1 } },
    });
  });

  it('takes nothing from a file that is not sound to its end', async () => {
    const where = folder();
    const out = join(where, 'calls.jsonl');
    await ledger('export', run, '--out', out);
    const lines = readFileSync(out, 'utf8').split('\n');
    const [first, second] = [JSON.parse(lines[0] as string), JSON.parse(lines[1] as string)];
    const broken = [lines[0], JSON.stringify({ ...second, request: first.request }), lines[2]?.slice(0, 50), lines[2]];
    const [torn, cut] = [join(where, 'torn.jsonl'), join(where, 'cut.jsonl.gz')];
    writeFileSync(torn, broken.join('\n'));
    writeFileSync(cut, gzipSync(readFileSync(out)));
    truncateSync(cut, 200);
    const theirs = join(where, 'theirs.sqlite');
    const { code, stderr } = await ledger('import', theirs, out, torn);
    expect(code).toBe(2);
    expect(stderr).toMatch(/torn\.jsonl:2: key is not the hash of its request/);
    expect(stderr).toMatch(/torn\.jsonl:3: expected one JSON value/);
    expect((await ledger('import', theirs, cut)).stderr).toMatch(/cut\.jsonl\.gz: expected a whole gzip file/);
    expect((await ledger('import', theirs, file)).code).toBe(2);
    expect(existsSync(theirs)).toBe(false);
  });
});

describe('a ledger with torn rows', () => {
  const where = join(scratch, 'torn');
  const [torn, sound, changed] = [entry('torn'), entry('sound'), entry('changed')];
  beforeAll(() => {
    const calls = new Ledger(join(where, 'ledger.sqlite'));
    calls.store([answered(torn, 'a long answer'), answered(sound, 'S'), answered(changed, 'C')]);
    calls.close();
    const database = new Database(join(where, 'ledger.sqlite'));
    database.exec('DROP TRIGGER stored_calls_stay');
    database.exec(
      `UPDATE calls SET answer = substr(answer, 1, 20), raw = CAST(x'7BFF' AS TEXT) WHERE key = '${torn.key}'`,
    );
    database.exec(
      `UPDATE calls SET request = replace(request, 'changed', 'altered'), cost_usd = -1 WHERE key = '${changed.key}'`,
    );
    database.close();
  });

  it('verify names them and ends with 1', async () => {
    const { code, stdout, stderr } = await ledger('verify', where);
    expect(code).toBe(1);
    expect(stdout.split('\n')).toEqual([
      `${torn.key}: raw is no UTF-8 text`,
      `${torn.key}: answer is no JSON`,
      `${torn.key}: raw is no JSON`,
      expect.stringContaining(`${changed.key}: key is not the hash of its request, which is ${entry('altered').key}`),
      `${changed.key}: cost_usd: expected a number from 0, found -1`,
      '',
    ]);
    expect(stderr).toContain('2 of 3 rows are broken');
    const json = await ledger('verify', where, '--json');
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      rows: 3,
      broken: [{ key: torn.key }, { key: changed.key }],
      damage: [],
    });
  });

  it('verify looks at batches too', async () => {
    const folder = join(scratch, 'batches');
    const calls = new Ledger(join(folder, 'ledger.sqlite'));
    const { batches } = calls;
    const [over, gone] = [1, 2].map(() =>
      batches.create({ teacher: 'fake:test-model', provider: 'openai', baseUrl: 'http://127.0.0.1:1' }),
    ) as [LedgerBatch, LedgerBatch];
    calls.markSent([entry('awaited')], over.id);
    calls.markSent([entry('stray')], gone.id);
    batches.submitted(over.id, 'theirs');
    calls.close();
    expect((await ledger('verify', folder)).code).toBe(0);

    const database = new Database(join(folder, 'ledger.sqlite'));
    database.exec(`UPDATE batches SET state = 'collected', collected_at = created_at WHERE id = '${over.id}'`);
    database.exec(`DELETE FROM batches WHERE id = '${gone.id}'`);
    database.close();
    const { code, stdout, stderr } = await ledger('verify', folder);
    expect(code).toBe(1);
    expect(stdout.split('\n')).toEqual([
      `${entry('stray').key}: batch ${gone.id} is not in the ledger`,
      `batch ${over.id}: collected, but 1 rows are awaited in it`,
      '',
    ]);
    expect(stderr).toContain('1 of 2 rows are broken, 1 of 1 batches');
  });

  it('the others are shown, counted and exported; the broken ones are told', async () => {
    expect(JSON.parse((await ledger('stats', where, '--json')).stdout)).toMatchObject({
      total: { calls: { stored: 3 }, tokens: { input: 20, uncounted: 1 } },
    });
    const shown = await ledger('show', where, '--key', torn.key);
    expect([shown.code, shown.stdout]).toEqual([
      0,
      expect.stringMatching(/broken: answer is no JSON[\s\S]*\[answer\] \{"text":"a long ans/),
    ]);
    const out = join(where, 'calls.jsonl');
    const { code, stdout, stderr } = await ledger('export', where, '--out', out, '--json');
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      {
        out,
        exported: 1,
        broken: [expect.objectContaining({ key: torn.key }), expect.objectContaining({ key: changed.key })],
      },
    ]);
    expect(stderr).toContain(`left out, since it is broken: ${torn.key}`);
    expect(fromLines(readFileSync(out, 'utf8')).map(({ key }) => key)).toEqual([sound.key]);
  });

  it('a file that is cut off is damaged, not of something else', async () => {
    const cut = join(folder(), 'ledger.sqlite');
    const calls = new Ledger(cut);
    calls.store(Array.from({ length: 200 }, (_, i) => answered(entry(`row ${i} ${'x'.repeat(500)}`), 'A')));
    calls.close();
    for (const share of [0.9, 0.02]) {
      truncateSync(cut, Math.floor(share * readFileSync(cut).length));
      const { code, stdout, stderr } = await ledger('verify', cut, '--json');
      expect(code).toBe(1);
      expect((JSON.parse(stdout) as { damage: string[] }).damage.join()).toMatch(/malformed|damaged/);
      expect(stderr).toContain('its file is damaged');
    }
  });
});
