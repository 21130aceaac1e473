import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NextAnswer } from '../../../studio/protocol.ts';
import { inviteRaters } from '../../../studio/server/invite.ts';
import { type RunningServer, serveStudy } from '../../../studio/server/serve.ts';
import { StudyStore } from '../../../studio/server/store.ts';
import { openSecret, writeToken } from '../../../studio/server/tokens.ts';
import { expectComparison, makeStudy, voteFor } from './study.ts';

/** A server that listens, and requests written by hand: what a browser would not let a page send is sent here. */
const scratch = mkdtempSync(join(tmpdir(), 'understudy-serve-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let folder: string;
let server: RunningServer;
const problems: string[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(scratch, 'study-'));
  makeStudy(folder, { items: 4, ratersPerItem: 2, share: 0.5, raters: [] }).close();
  server = await serveStudy({ folder, port: 0, onError: (message) => problems.push(message) });
});
afterEach(() => server.close());

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
}

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function send(path: string, { method = 'GET', headers = {}, body }: Sent = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${server.url}${path}`, { method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const invite = (rater: string): string => inviteRaters(folder, { raters: [rater], days: 1 })[0]!.link.split('#')[1]!;

const own = (token: string) => ({ authorization: `Bearer ${token}`, 'x-understudy-people': '1' });
const json = { 'content-type': 'application/json' };

async function next(token: string): Promise<NextAnswer> {
  const { status, text } = await send('/api/next', { method: 'POST', headers: own(token), body: '{}' });
  expect(status).toBe(200);
  return JSON.parse(text) as NextAnswer;
}

const vote = (
  token: string,
  id: string,
  headers: Readonly<Record<string, string>> = {},
  body: unknown = voteFor('left'),
) =>
  send(`/api/comparisons/${id}/vote`, {
    method: 'PUT',
    headers: { ...own(token), ...json, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

function storedVotes(): number {
  const store = new StudyStore(folder);
  try {
    return store.votes().length;
  } finally {
    store.close();
  }
}

describe('a rater with an invitation', () => {
  it('gets comparisons, votes, goes on, sees what he voted, and comes to the end', async () => {
    const token = invite('anna');
    const first = expectComparison(await next(token));
    expect(await vote(token, first.id)).toMatchObject({ status: 200, text: '{"stored":true}' });
    expect(storedVotes()).toBe(3);
    const again = await send(`/api/comparisons/${first.id}`, { headers: own(token) });
    expect(JSON.parse(again.text)).toMatchObject({
      comparison: { id: first.id, vote: { choices: { helpful: 'left' } } },
    });
    let answer = await next(token);
    for (; answer.kind === 'comparison'; answer = await next(token)) await vote(token, answer.comparison.id);
    expect(answer).toMatchObject({ kind: 'finished', held: 0 });
  });

  it('is told no model’s name, no item’s id, and not which comparison is a check', async () => {
    const token = invite('anna');
    const members = new Set<string>();
    for (let answer = await next(token); answer.kind === 'comparison'; answer = await next(token)) {
      const text = JSON.stringify(answer);
      expect(text).not.toMatch(/model|attention|"q\d|good(?! [xyz]")/);
      for (const name of Object.keys(answer.comparison)) members.add(name);
      await vote(token, answer.comparison.id);
    }
    expect([...members].sort()).toEqual([
      'id',
      'language',
      'left',
      'next',
      'position',
      'previous',
      'question',
      'right',
      'vote',
    ]);
  });

  it('goes on by the same link after the server was stopped and started', async () => {
    const token = invite('anna');
    const first = expectComparison(await next(token));
    await server.close();
    server = await serveStudy({ folder, port: 0, onError: (message) => problems.push(message) });
    expect(expectComparison(await next(token))).toEqual(first);
  });
});

describe('refused', () => {
  const refusal = ({ status, text }: Answer) => [status, (JSON.parse(text) as { refused: string }).refused];
  const nextWith = (headers: Readonly<Record<string, string>>) =>
    send('/api/next', { method: 'POST', headers: { 'x-understudy-people': '1', ...headers }, body: '{}' });

  it('a token that is forged, of another study, or missing', async () => {
    const token = invite('anna');
    const changed = `${token.startsWith('W') ? 'X' : 'W'}${token.slice(1)}`;
    const elsewhere = writeToken(Buffer.alloc(32), { rater: 'anna', expiresAtMs: Date.now() + 1000 });
    for (const one of [changed, elsewhere, '', 'undefined'])
      expect(refusal(await nextWith({ authorization: `Bearer ${one}` }))).toEqual([401, 'forged']);
    expect(refusal(await nextWith({}))).toEqual([401, 'forged']);
  });

  it('a token that has expired, and one of a rater that was never invited', async () => {
    invite('anna');
    const secret = openSecret(folder);
    const old = writeToken(secret, { rater: 'anna', expiresAtMs: Date.now() - 1 });
    expect(refusal(await nextWith(own(old)))).toEqual([401, 'expired']);
    const unknown = writeToken(secret, { rater: 'zoe', expiresAtMs: Date.now() + 100_000 });
    expect(refusal(await nextWith(own(unknown)))).toEqual([401, 'forged']);
  });

  it('another rater’s address, with the same words as one that is nobody’s', async () => {
    const [anna, bo] = [invite('anna'), invite('bo')];
    const { id } = expectComparison(await next(anna));
    for (const address of [id, '0'.repeat(32)]) {
      expect(refusal(await send(`/api/comparisons/${address}`, { headers: own(bo) }))).toEqual([403, 'not-yours']);
      expect(refusal(await vote(bo, address))).toEqual([403, 'not-yours']);
    }
    expect(storedVotes()).toBe(0);
  });

  it.each([
    ['another origin', { origin: 'https://evil.example' }],
    ['an origin of the same host on another port', { origin: 'http://127.0.0.1:1' }],
    ['a sandboxed page', { origin: 'null' }],
    ['a cross-site fetch', { 'sec-fetch-site': 'cross-site' }],
    ['a page of a neighbouring name', { 'sec-fetch-site': 'same-site' }],
    ['no header of ours', { 'x-understudy-people': '' }],
  ])('a vote from elsewhere: %s', async (_, headers) => {
    const token = invite('anna');
    const { id } = expectComparison(await next(token));
    expect(refusal(await vote(token, id, headers))).toEqual([403, 'cross-site']);
    expect(storedVotes()).toBe(0);
  });

  it('a form: what a page of another site may post without asking', async () => {
    const token = invite('anna');
    const { id } = expectComparison(await next(token));
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', ''])
      expect(refusal(await vote(token, id, { 'content-type': type }))).toEqual([400, 'bad-vote']);
    expect(storedVotes()).toBe(0);
  });

  it.each(['evil.example', 'evil.example:80', '127.0.0.1', '127.0.0.1:1', 'localhost.evil.example'])(
    'a foreign Host: "%s"',
    async (host) => {
      const token = invite('anna');
      for (const path of ['/', '/api/next', '/nowhere'])
        expect(refusal(await send(path, { headers: { ...own(token), host } }))).toEqual([421, 'foreign-host']);
    },
  );

  it('but not localhost by its name', async () => {
    const { port } = new URL(server.url);
    expect((await send('/', { headers: { host: `localhost:${port}` } })).status).toBe(200);
  });

  it('what is no vote, or too much', async () => {
    const token = invite('anna');
    const { id } = expectComparison(await next(token));
    const { choices } = voteFor('left');
    for (const body of [
      '{',
      '[]',
      {},
      { ...voteFor('left'), choices: { ...choices, helpful: 'win' } },
      { ...voteFor('left'), choices: { helpful: 'left', honest: 'left' } },
      { ...voteFor('left'), comment: 7 },
      { ...voteFor('left'), comment: 'x'.repeat(4001) },
      { ...voteFor('left'), seconds: -1 },
      { ...voteFor('left'), seconds: '5' },
    ])
      expect(refusal(await vote(token, id, {}, body))).toEqual([400, 'bad-vote']);
    expect(refusal(await vote(token, id, {}, { ...voteFor('left'), more: 'x'.repeat(70_000) }))).toEqual([
      413,
      'too-large',
    ]);
    const chunked = { 'transfer-encoding': 'chunked' };
    expect(refusal(await vote(token, id, chunked, 'x'.repeat(70_000)))).toEqual([413, 'too-large']);
    expect(storedVotes()).toBe(0);
  });

  it('what is not there', async () => {
    expect(refusal(await send('/../study.sqlite'))).toEqual([404, 'not-found']);
    expect(refusal(await send('/secret'))).toEqual([404, 'not-found']);
    expect(refusal(await send('/api/raters', { headers: own(invite('anna')) }))).toEqual([404, 'not-found']);
  });
});

describe('the page', () => {
  it('runs no script but its own files, in no frame, and tells nobody where it is', async () => {
    const { status, headers, text } = await send('/');
    expect(status).toBe(200);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|data:|https?:/);
    expect(headers).toMatchObject({ 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' });
    expect(text).not.toMatch(/<script(?![^>]* src=)|style=|https?:/);
    const script = /src="\.(\/assets\/[^"]+)"/.exec(text)?.[1] as string;
    expect((await send(script)).headers).toMatchObject({ 'content-type': 'text/javascript; charset=utf-8' });
  });

  it.each([
    ['en-GB,en;q=0.9', 'en'],
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh-CN'],
    ['de, zh-TW;q=0.5, en;q=0.4', 'zh-CN'],
    ['en;q=0.5, zh;q=0.1', 'en'],
    ['fr', 'en'],
    ['zh;q=0', 'en'],
  ])('is in the language that the browser asks for: %s', async (asked, language) => {
    const { text } = await send('/', { headers: { 'accept-language': asked } });
    expect(text).toContain(`<html lang="${language}"`);
  });
});

it('a vote that cannot be stored is not acknowledged, and no token is in what is said of it', async () => {
  const token = invite('anna');
  const { id } = expectComparison(await next(token));
  const database = new Database(join(folder, 'study.sqlite'));
  database.exec("CREATE TRIGGER full BEFORE INSERT ON votes BEGIN SELECT RAISE(ABORT, 'the disk is full'); END");
  expect(await vote(token, id)).toMatchObject({ status: 503, text: '{"refused":"not-stored"}' });
  expect(storedVotes()).toBe(0);
  const said = problems.splice(0).join('\n');
  expect(said).toContain('cannot write the study: ');
  expect(said).not.toContain(token);
  database.exec('DROP TRIGGER full');
  database.close();
  expect(await vote(token, id)).toMatchObject({ status: 200 });
});

describe('the server', () => {
  it('is one a folder', async () => {
    await expect(serveStudy({ folder, port: 0, onError: () => {} })).rejects.toThrow(/is served already/);
  });

  it('says that a port is taken', async () => {
    const other = mkdtempSync(join(scratch, 'study-'));
    makeStudy(other, { items: 1, ratersPerItem: 1, raters: [] }).close();
    const port = Number(new URL(server.url).port);
    await expect(serveStudy({ folder: other, port, onError: () => {} })).rejects.toThrow(/the port is in use/);
  });

  it('answers by the name of a proxy where it is told one, and writes it into invitations', async () => {
    await server.close();
    server = await serveStudy({ folder, port: 0, publicUrl: 'https://rate.example/', onError: () => {} });
    expect(server.url).toBe('https://rate.example');
    expect(inviteRaters(folder, { raters: ['anna'], days: 1 })[0]?.link).toMatch(/^https:\/\/rate\.example\/#/);
  });

  it('met no error in all this', () => {
    expect(problems).toEqual([]);
  });
});
