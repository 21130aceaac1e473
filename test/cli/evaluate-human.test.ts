import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-human-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const folder = join(scratch, 'people');
const human = (...args: string[]) => understudy(['evaluate', 'human', ...args]);

it('serves until it is told to stop; then invites, sums up and exports', async () => {
  const items = join(scratch, 'items.jsonl');
  const rows = [1, 2, 3].map((id) => ({ id, question: `Question ${id}?`, answers: { one: 'Yes.', two: 'No.' } }));
  writeFileSync(items, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const served = await understudy(
    ['evaluate', 'human', 'serve', items, '--out', folder, '--port', '0', '--raters', '2'],
    // Once: a second signal would end it at once.
    { onStderr: (text) => (/whoever has a link.*\n$/.test(text) ? 'SIGTERM' : undefined) },
  );
  expect(served.code).toBe(0);
  expect(served.stdout).toMatch(/^rater-1\thttp:\/\/127\.0\.0\.1:\d+\/#\S+\nrater-2\thttp:\S+\n$/);
  expect(served.stderr).toMatch(/3 items, 3 raters each, at http:\/\/127\.0\.0\.1:\d+/);

  const invited = await human('invite', folder, 'anna', '--days', '2', '--json');
  expect(JSON.parse(invited.stdout)).toMatchObject({
    invitations: [{ rater: 'anna', link: expect.stringMatching(/#/) }],
  });
  const results = await human('results', folder, '--json');
  expect(JSON.parse(results.stdout)).toMatchObject({ asked: 3, items: 0, votes: 0, pairs: [], raterQuality: [] });
  expect((await human('results', folder)).stdout).toContain('0 votes of 0 raters on 0 of 3 items');
  const votes = join(scratch, 'votes.csv');
  expect((await human('export', folder, '--out', votes)).code).toBe(0);
  expect(readFileSync(votes, 'utf8')).toBe(
    'item,rater,criterion,choice,modelA,modelB,seconds,order,comment,attention\r\n',
  );
});

it.each([
  ['no items', ['serve', '--out', join(scratch, 'none')], /no study in/],
  ['no such file', ['serve', join(scratch, 'nothing.jsonl'), '--out', join(scratch, 'none')], /no such file/],
  ['answers of nothing', ['serve', '--answers', 'a=b', '--out', folder], /expected the questions they answer/],
  ['a share that is none', ['serve', '--attention', '2', '--out', folder], /share from 0 to 0\.5/],
  ['an address that is none', ['serve', '--url', 'here', '--out', folder], /--url: expected an address/],
  ['no study', ['results', join(scratch, 'none')], /no study in/],
  ['another ending', ['export', folder, '--out', 'votes.txt'], /ending in \.csv or \.jsonl/],
])('bad input is told apart: %s', async (_, args, expected) => {
  const { code, stderr } = await human(...args);
  expect(code).toBe(2);
  expect(stderr).toMatch(expected);
  expect(stderr.split('\n').length).toBeLessThan(11);
});
