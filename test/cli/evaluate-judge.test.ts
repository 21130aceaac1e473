/** A judge that is asked, through the program, at a server of the OpenAI protocol. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { chatServer } from './chat-server.ts';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-judge-'));
const at = (name: string): string => join(scratch, name);
const write = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return at(name);
};

/** Prefers what is worth more; of what is equal, what stands first. Where it is told so, it says nothing of use at first. */
function verdict(messages: readonly { readonly content: string }[]): string {
  const prompt = messages[0]?.content ?? '';
  if (prompt.includes('nonsense') && messages.length === 1) return 'A clear case.';
  const worths = [...prompt.matchAll(/worth (\d+)/g)].map(([, worth]) => Number(worth));
  // Of each answer to a later turn, what was answered before is shown too.
  const isLater = prompt.includes('To turn 2, to be judged');
  const [first = 0, second = 0] = isLater ? worths.filter((_, i) => i % 2 === 1) : worths;
  if (prompt.includes('[[n]]')) return `Reasons.\n[[${first}]]`;
  if (prompt.includes('[[a]] [[b]]')) return `Reasons.\n[[${first}]] [[${second}]]`;
  return `Reasons.\n[[${first >= second ? 'A' : 'B'}]]`;
}

/** Requests answered, by how often. */
const served = new Map<string, number>();
const numServed = (): number => [...served.values()].reduce((sum, times) => sum + times, 0);
/** Called with each request before it is answered; true: it never is. */
let onRequest: () => boolean = () => false;
const server = chatServer({
  fault: (_, { messages }) => {
    if (onRequest()) return { kind: 'silent' };
    return messages[0]?.content.includes('unanswerable') ? { kind: 'status', status: 400 } : undefined;
  },
  reply: ({ body, messages }) => {
    const request = JSON.stringify(body);
    served.set(request, (served.get(request) ?? 0) + 1);
    return verdict(messages);
  },
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const judge = (...args: string[]) => understudy(['evaluate', 'judge', ...args]);
const teacher = () => server.flags('m-large');

// Four forms of one set: MT-bench's questions, answers of FastChat, Vicuna and ours.
const questions = write('questions.jsonl', [
  { question_id: 81, category: 'writing', turns: ['Write.', 'Rewrite.'] },
  { question_id: 101, category: 'reasoning', turns: ['Who is second?'], reference: ['You.'] },
  { question_id: 121, category: 'coding', turns: ['Write nonsense in C.'] },
  { question_id: 201, category: 'writing', turns: ['写一首诗。'] },
]);
const mine = write('mine.jsonl', [
  { question_id: 81, choices: [{ index: 0, turns: ['worth 8', 'worth 7'] }] },
  { question_id: 101, choices: [{ index: 0, turns: ['worth 3'] }] },
  { question_id: 121, choices: [{ index: 0, turns: ['mine, worth 5'] }] },
  { question_id: 201, choices: [{ index: 0, turns: ['worth 9'] }] },
]);
const base = write('base.jsonl', [
  {
    id: 81,
    messages: ['Write.', 'worth 4', 'Rewrite.', 'worth 2'].map((content, i) => ({
      role: i % 2 ? 'assistant' : 'user',
      content,
    })),
  },
  { id: 101, output: 'worth 6' },
  { id: 121, output: 'worth 5' },
  { id: 201, output: 'worth 1' },
]);
const answers = ['--answers', `mine=${mine}`, `base=${base}`];

describe('evaluate judge', () => {
  it('pair: writes rows and a summary, prints either tables or the same document', async () => {
    const words = [questions, ...answers, '--mode', 'pair', '--baseline', 'base', ...teacher(), '--out', at('pair')];
    const { code, stdout, stderr } = await judge(...words, '--json');
    expect(code, stderr).toBe(0);
    const summary = JSON.parse(stdout) as Record<string, unknown>;
    expect(summary).toMatchObject({
      settings: { mode: 'pair', teacher: 'openai-compatible:m-large', models: ['mine', 'base'], baseline: 'base' },
      calls: { asked: 10, answered: 10, parsed: 10, unreadable: 0, refused: 0, failed: 0 },
      questions: 4,
      matches: [
        { asked: 5, compared: 5, wins: 3, ties: 1, losses: 1, winRate: { value: 0.7, n: 5 }, position: { flips: 1 } },
      ],
      selfPreference: { notMeasurable: expect.any(String) },
    });
    expect(JSON.parse(readFileSync(at('pair/summary.json'), 'utf8'))).toEqual(summary);
    expect(readFileSync(at('pair/rows.jsonl'), 'utf8').trim().split('\n')).toHaveLength(10);
    // Nobody is asked twice, another time least of all.
    expect(Math.max(...served.values())).toBe(1);
    const before = numServed();
    const tables = await judge(...words, '--judge-family', 'Mi');
    expect(numServed()).toBe(before);
    expect(tables.stdout).toMatch(/openai-compatible:m-large as judge, mode pair, 4 questions/);
    expect(tables.stdout).toMatch(
      /10 asked, 10 answered, verdicts read in 10 of 10 \(100\.0 %\); not readable 0, refused 0/,
    );
    expect(tables.stdout).toMatch(/wording +judge-choice-en 1\.1, judge-choice-zh 1\.1/);
    expect(tables.stdout).toMatch(/compared +5 of 5 \(100\.0 %\): won 3, tie 1, lost 1/);
    expect(tables.stdout).toMatch(/win rate +70\.0 % \(of 5, 95 % interval [\d.]+ % to [\d.]+ %\)/);
    expect(tables.stdout).toMatch(/orders disagree +1: 20\.0 % .* first shown won in 100\.0 % \(of 1\)/);
    expect(tables.stdout).toMatch(/length-controlled +[\d.]+ % .*length’s coefficient/);
    expect(tables.stdout).toMatch(/longer answer won/);
    expect(tables.stdout).toMatch(/writing +3 of 3: won 3, tie 0, lost 0; win rate 100\.0 %/);
    expect(tables.stdout).toMatch(/turn 2 +1 of 1/);
    expect(tables.stdout).toMatch(
      /self-preference +mine: win rate 70\.0 % .*others 30\.0 % .*difference in points \+40\.0/,
    );
  });

  it('reference and single: sums, ratio and means', async () => {
    const words = [questions, ...answers, ...teacher()];
    const both = await judge(...words, '--mode', 'reference', '--baseline', 'base', '--out', at('reference'));
    expect(both.code, both.stderr).toBe(0);
    expect(both.stdout).toMatch(/sums of scores +32\.00 : 18\.00/);
    expect(both.stdout).toMatch(/of base +177\.8 % \(of 5/);
    expect(both.stdout).toMatch(/first shown leads +0\.00/);
    const each = await judge(...words, '--mode', 'single', '--out', at('single'));
    expect(each.code, each.stderr).toBe(0);
    expect(each.stdout).toMatch(/mine\n +scores +sum 32\.00 over 5 of 5 \(100\.0 %\)\n +mean +6\.40 \(of 5, 95 %/);
    expect(each.stdout).not.toMatch(/first shown/);
  });

  it.each<['SIGKILL' | 'SIGINT', number | null]>([
    ['SIGKILL', null],
    ['SIGINT', 130],
  ])(
    'stopped by %s again and again it goes on: as if never stopped, and nothing is bought twice',
    async (signal, code) => {
      const words = [questions, ...answers, '--mode', 'pair', ...teacher(), '--concurrency', '1'];
      const model = ['--model', `m-${signal}`];
      const before = numServed();
      for (const answered of [3, 4, 2]) {
        let left = answered;
        let pid = 0;
        onRequest = () => {
          if (left-- > 0) return false;
          if (left === -1) process.kill(pid, signal);
          return true;
        };
        const onSpawn = (own: number) => {
          pid = own;
        };
        const stopped = await understudy(['evaluate', 'judge', ...words, ...model, '--out', at(signal)], { onSpawn });
        expect([stopped.code, existsSync(at(`${signal}/summary.json`))], stopped.stderr).toEqual([code, false]);
      }
      onRequest = () => false;
      const done = await judge(...words, ...model, '--out', at(signal), '--json');
      expect(done.code, done.stderr).toBe(0);
      const bought = numServed() - before;
      expect(Math.max(...served.values())).toBe(1);
      expect(readdirSync(at(signal)).filter((name) => name.includes('.tmp-'))).toEqual([]);
      // Once more in a folder of its own, never stopped, with another ledger.
      served.clear();
      const whole = await judge(...words, ...model, '--out', at(`${signal}-whole`), '--json');
      expect(JSON.parse(whole.stdout)).toEqual(JSON.parse(done.stdout));
      expect(readFileSync(at(`${signal}/rows.jsonl`), 'utf8')).toBe(
        readFileSync(at(`${signal}-whole/rows.jsonl`), 'utf8'),
      );
      expect(bought).toBe(numServed());
    },
  );

  it('--reparse: from the folder alone, nobody asked, nothing else needed', async () => {
    const out = at('reparsed');
    const words = [questions, ...answers, '--mode', 'pair', ...teacher(), '--out', out, '--json'];
    const first = await judge(...words);
    const rows = readFileSync(join(out, 'rows.jsonl'), 'utf8');
    writeFileSync(join(out, 'rows.jsonl'), rows.replaceAll('{"choice":"first"}', '{"choice":"tie"}'));
    const before = numServed();
    const { code, stdout, stderr } = await judge('--reparse', '--out', out, '--json');
    expect([code, numServed()], stderr).toEqual([0, before]);
    expect(JSON.parse(stdout)).toEqual(JSON.parse(first.stdout));
    expect(stderr).toMatch(/verdicts read again, nobody asked; changed: 6/);
    expect(readFileSync(join(out, 'rows.jsonl'), 'utf8')).toBe(rows);
  });

  it('counts what brought no verdict and bounds the figures; missing answers only where that is allowed', async () => {
    const some = write('some.jsonl', [
      { question_id: 81, text: 'worth 9' },
      { question_id: 101, text: 'unanswerable, worth 9' },
      { question_id: 121, text: 'worth 9' },
    ]);
    const words = [questions, '--answers', `some=${some}`, `base=${base}`, '--mode', 'pair', ...teacher()];
    const refused = await judge(...words, '--out', at('never'));
    expect([refused.code, existsSync(at('never'))]).toEqual([2, false]);
    expect(refused.stderr).toMatch(
      /some\.jsonl: no answer to question "81", turn 2\n.*some\.jsonl: no answer to question "201"/,
    );
    expect(refused.stderr).toContain('--allow-missing');
    const { code, stdout, stderr } = await judge(...words, '--allow-missing', '--out', at('some'));
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/6 asked, 4 answered, verdicts read in 4 of 6 .* failed 2/);
    expect(stdout).toMatch(/not answered +some: 2 turns, left out/);
    expect(stdout).toMatch(/compared +2 of 3 \(66\.7 %\): won 2, tie 0, lost 0/);
    expect(stdout).toMatch(/whatever they had been: win rate 66\.7 % to 100\.0 %/);
    expect(stderr).toMatch(/2 calls brought no answer: run the same command again/);
  });

  const broken = write('broken.jsonl', [{ question_id: 1, turns: ['a'] }, { question_id: 2 }]);
  const extra = write('extra.jsonl', [
    { id: 81, output: 'x' },
    { id: 81, output: 'y' },
  ]);
  it.each<[string, string[], RegExp]>([
    ['nothing to judge', [], /expected QUESTIONS, --answers NAME=FILE …, --mode and --out FOLDER/],
    ['no mode', [questions, ...answers], /expected --mode/],
    ['an unknown mode', [questions, ...answers, '--mode', 'triple'], /Allowed choices are single, pair, reference/],
    ['a broken question', [broken, ...answers, '--mode', 'pair'], /broken\.jsonl:2: expected a question/],
    [
      'an answer given twice',
      [questions, '--answers', `x=${extra}`, '--mode', 'single'],
      /extra\.jsonl:2: question "81" is answered/,
    ],
    ['no such file', [questions, '--answers', `x=${at('absent')}`, '--mode', 'single'], /no such file: .*absent/],
    ['answers without a name', [questions, '--answers', mine, '--mode', 'single'], /expected NAME=FILE, got/],
    [
      'one model side by side',
      [questions, '--answers', `x=${mine}`, '--mode', 'pair'],
      /expected the answers of two models/,
    ],
    [
      'a name twice',
      [questions, '--answers', `x=${mine}`, `x=${base}`, '--mode', 'pair'],
      /each name once, got x again/,
    ],
    [
      'no reference model',
      [questions, ...answers, '--mode', 'reference'],
      /expected --baseline NAME, the model that is 100 %/,
    ],
    ['an unknown baseline', [questions, ...answers, '--mode', 'pair', '--baseline', 'x'], /one of mine, base, got x/],
    [
      'an unknown family',
      [questions, ...answers, '--mode', 'pair', '--judge-family', 'x'],
      /no judged model’s name begins with "x"/,
    ],
    ['a folder of nothing', ['--reparse'], /no such file: .*summary\.json/],
    ['reading again with questions', [questions, '--reparse'], /--reparse asks nobody: expected it without questions/],
    ['import and asking', ['--import', mine, ...answers], /--import asks nobody: expected it without --out, --answers/],
  ])('refuses %s before anybody is asked, with nothing written', async (_, args, message) => {
    const out = mkdtempSync(join(scratch, 'refused-'));
    const before = numServed();
    const { code, stdout, stderr } = await judge(...args, ...teacher(), '--out', out);
    expect(stderr).toMatch(message);
    expect([code, stdout, readdirSync(out), numServed()]).toEqual([2, '', [], before]);
  });
});
