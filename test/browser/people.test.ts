import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toJsonl } from '../../src/base/jsonl.ts';
import type { PeopleVote } from '../../src/evaluate/people.ts';
import { StudyStore } from '../../studio/server/store.ts';
import { openSecret, writeToken } from '../../studio/server/tokens.ts';
import { root, understudy } from '../cli/program.ts';

/**
 * The rating page in a real Chromium, its server in a process of its own that is killed with -9. Screenshots go to
 * $SCREENSHOTS where that is set.
 */
const scratch = mkdtempSync(join(tmpdir(), 'understudy-people-browser-'));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let browser: Browser;

beforeAll(async () => {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
  browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] as string,
    args: [...args, '--disable-component-update', '--disable-sync'],
  });
});
afterAll(async () => {
  await browser?.close();
  rmSync(scratch, { recursive: true, force: true });
});

const script = '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">';

/** Long and short answers; one of each carries a script. */
const items = Array.from({ length: 20 }, (_, i) => ({
  id: `q${i + 1}`,
  question: i % 5 === 4 ? `第 ${i + 1} 个问题：为什么？` : `Question ${i + 1}:\n  why is it so?`,
  answers: {
    'model-one': `The first model’s answer to question ${i + 1}.\n\n    Indented.\n${'It goes on. '.repeat(3 * i)}`,
    'model-two': `${script} The second model’s answer to question ${i + 1}.`,
  },
}));

interface Running {
  readonly url: string;
  readonly invitations: readonly { readonly rater: string; readonly link: string }[];
  readonly process: ChildProcess;
  /** What it wrote, all of it. */
  output(): string;
}

/** Starts the program as a user does; resolves when it says where it is. */
function serve(args: readonly string[]): Promise<Running> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'understudy'), 'evaluate', 'human', 'serve', '--json', ...args], {
      env: { ...process.env, UNDERSTUDY_SKIP_SETUP: '1', NO_COLOR: '1' },
    });
    started.push(child);
    let stdout = '';
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (!stdout.endsWith('}\n')) return;
      const { url, invitations } = JSON.parse(stdout) as Pick<Running, 'url' | 'invitations'>;
      resolve({ url, invitations, process: child, output: () => stderr });
    });
    child.on('close', (code) => reject(new Error(`the server ended with ${code}: ${stderr}`)));
  });
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.on('close', () => resolve());
  });

let folder: string;
let server: Running;
const started: ChildProcess[] = [];
let contexts: BrowserContext[];

async function start(options: readonly string[]): Promise<void> {
  folder = mkdtempSync(join(scratch, 'study-'));
  const file = join(folder, 'items.jsonl');
  writeFileSync(file, toJsonl(items));
  server = await serve([file, '--out', folder, '--port', '0', ...options]);
}

async function open(link: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  contexts.push(context);
  const page = await context.newPage();
  await page.goto(link);
  return page;
}

/** A rater's page with the guide read and closed. */
async function openRating(link: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const page = await open(link, options);
  await page.locator('dialog .primary').click();
  return page;
}

const votes = (): PeopleVote[] => {
  const store = new StudyStore(folder);
  try {
    return store.votes();
  } finally {
    store.close();
  }
};

beforeEach(() => {
  contexts = [];
});
afterEach(async () => {
  for (const context of contexts) await context.close();
  for (const child of started.splice(0)) {
    child.kill('SIGKILL');
    await ended(child);
  }
}, 60_000);

/** What a rater was told is saved: position → the sides he chose. */
type Acknowledged = Map<number, readonly string[]>;

const keyOf = { left: 0, same: 1, right: 2 };

/** Rates by keyboard until the end, or until `stop` says so after an acknowledgement. */
async function rate(page: Page, seed: number, saved: Acknowledged, stop: () => boolean = () => false): Promise<void> {
  const sides = ['left', 'same', 'right'] as const;
  while (!stop()) {
    await page.locator('main.comparison, main.notice h1').first().waitFor();
    if ((await page.locator('main.comparison').count()) === 0) return;
    const position = Number(/\d+/.exec((await page.locator('.place p').first().textContent()) ?? '')?.[0]);
    const chosen = [0, 1, 2].map((criterion) => sides[(seed + position * (criterion + 1)) % 3]!);
    for (const [criterion, side] of chosen.entries())
      await page.keyboard.press(String(3 * criterion + keyOf[side] + 1));
    if (position % 4 === 1) {
      await page.keyboard.press('c');
      await page.keyboard.type(`note ${position}`);
      await page.keyboard.press('Control+Enter');
    } else await page.keyboard.press('Enter');
    await page.getByRole('status').getByText(`Comparison ${position} saved`).waitFor({ timeout: 60_000 });
    saved.set(position, chosen);
    const place = page.locator('.place p').first();
    await place.filter({ hasNotText: `Comparison ${position} of ` }).waitFor({ timeout: 60_000 });
  }
}

/** The stored sides of a rater's comparisons, by position. */
function storedSides(rater: string): Acknowledged {
  const own = votes().filter((vote) => vote.rater === rater);
  const shown = [...new Set(own.map(({ item }) => item))];
  return new Map(
    shown.map((item, i) => [
      i + 1,
      own
        .filter((vote) => vote.item === item)
        .map(({ choice, order }) =>
          choice === 'tie' ? 'same' : (choice === 'win') === (order === 'AB') ? 'left' : 'right',
        ),
    ]),
  );
}

it('two raters, twenty items, the server killed with -9 in the middle: no acknowledged vote is missing', async () => {
  await start(['--raters', '2', '--raters-per-item', '2']);
  const port = new URL(server.url).port;
  const pages = await Promise.all(server.invitations.map(({ link }) => openRating(link)));
  const saved: [Acknowledged, Acknowledged] = [new Map(), new Map()];
  const half = () => saved[0].size >= 8 && saved[1].size >= 6;
  const rating = pages.map((page, i) => rate(page, i, saved[i as 0 | 1]));
  while (!half()) await new Promise((resolve) => setTimeout(resolve, 5));
  const acknowledged = [new Map(saved[0]), new Map(saved[1])] as const;
  server.process.kill('SIGKILL');
  await ended(server.process);

  // What was acknowledged is on the disk, whatever was under way.
  for (const [i, one] of acknowledged.entries())
    expect(Object.fromEntries(storedSides(`rater-${i + 1}`))).toMatchObject(Object.fromEntries(one));
  // The pages say that the server is gone, and keep what is not stored; they go on by themselves when it is back.
  await Promise.all(pages.map((page) => page.getByRole('alert').getByText('server cannot be reached').waitFor()));
  server = await serve(['--out', folder, '--port', port]);
  await Promise.all(rating);

  for (const [i, page] of pages.entries()) {
    expect(await page.locator('main h1').textContent()).toBe('That was all. Thank you!');
    expect(storedSides(`rater-${i + 1}`)).toEqual(saved[i]);
  }
  const own = votes().filter(({ attention, criterion }) => !attention && criterion === 'helpful');
  expect(own).toHaveLength(40);
  for (const { id } of items) {
    const orders = own.filter(({ item }) => item === id).map(({ order }) => order);
    expect(orders.sort()).toEqual(['AB', 'BA']);
  }
  expect(votes().some(({ comment }) => comment === 'note 5')).toBe(true);
  expect(votes().every(({ seconds }) => seconds > 0)).toBe(true);
  // No invitation in what the server writes.
  for (const { link } of server.invitations) expect(server.output()).not.toContain(link.split('#')[1]);

  // The same link says that all is done, in another browser too.
  const [first] = (await understudy(['evaluate', 'human', 'invite', folder, 'rater-1', '--json'])).stdout
    .split('\n')
    .flatMap((line) => /"link": "([^"]+)"/.exec(line)?.[1] ?? []);
  const elsewhere = await open(first as string);
  await elsewhere.getByText('That was all').waitFor();
});

it('a rater stops, comes back by the same link, and finds the draft; a saved vote can be changed', async () => {
  await start(['--raters', '1', '--raters-per-item', '1', '--attention', '0']);
  const link = server.invitations[0]!.link;
  const page = await openRating(link);
  const saved: Acknowledged = new Map();
  await rate(page, 0, saved, () => saved.size >= 3);
  await page.locator('#question').waitFor();
  await page.keyboard.press('1');
  await page.keyboard.press('5');
  await page.locator('#comment').fill('half done');
  await page.reload();
  await page.locator('input[name=helpful][value=left]:checked').waitFor({ state: 'attached' });
  expect(await page.locator('input[name=honest]:checked').getAttribute('value')).toBe('same');
  expect(await page.locator('input[name=harmless]:checked').count()).toBe(0);
  expect(await page.locator('#comment').inputValue()).toBe('half done');
  // Something is missing: nothing is sent, and the page says what.
  await page.getByRole('button', { name: 'Save and go on' }).click();
  await page.getByRole('alert').getByText('Still to be decided: Harmless').waitFor();
  expect(storedSides('rater-1').size).toBe(3);

  await page.getByRole('button', { name: 'Previous' }).click();
  await page.getByText('You saved this comparison before').waitFor();
  await page.getByRole('group', { name: 'Helpful' }).getByRole('radio', { name: 'B better' }).check();
  await page.getByRole('button', { name: 'Save change' }).click();
  await page.getByRole('status').getByText('Comparison 3 saved').waitFor();
  expect(storedSides('rater-1').get(3)?.[0]).toBe('right');
  expect(await page.locator('#comment').inputValue()).toBe('half done');
});

describe('refused', () => {
  beforeEach(() => start(['--raters', '2', '--raters-per-item', '2']), 60_000);

  it('a forged token and an expired one: the page says so and shows nothing', async () => {
    const { link } = server.invitations[0]!;
    const forged = await open(`${link.slice(0, -3)}AAA`);
    await forged.getByRole('heading', { name: 'This invitation is not valid' }).waitFor();
    const token = writeToken(openSecret(folder), { rater: 'rater-1', expiresAtMs: Date.now() - 1000 });
    const expired = await open(`${server.url}/#${token}`);
    await expired.getByRole('heading', { name: 'This invitation has expired' }).waitFor();
    const none = await open(`${server.url}/`);
    await none.getByRole('heading', { name: 'You need an invitation' }).waitFor();
    for (const page of [forged, expired, none]) expect(await page.locator('main.comparison').count()).toBe(0);
  });

  it('another rater’s address', async () => {
    const [anna, bo] = await Promise.all(server.invitations.map(({ link }) => openRating(link)));
    /** By the page itself, with its own invitation. */
    const call = (page: Page, method: string, path: string) =>
      page.evaluate(`(async () => {
        const headers = { authorization: 'Bearer ' + location.hash.slice(1), 'x-understudy-people': '1' };
        const answer = await fetch('${path}', { method: '${method}', headers });
        return { status: answer.status, body: await answer.json() };
      })()`) as Promise<{ status: number; body: { comparison?: { id: string } } }>;
    const own = (await call(anna!, 'POST', 'api/next')).body.comparison?.id;
    expect(await call(anna!, 'GET', `api/comparisons/${own}`)).toMatchObject({ status: 200 });
    expect(await call(bo!, 'GET', `api/comparisons/${own}`)).toEqual({ status: 403, body: { refused: 'not-yours' } });
  });

  it('a script in an answer: shown as text, never run', async () => {
    const page = await openRating(server.invitations[0]!.link);
    const shown = await page.locator('.answer .words').allTextContents();
    expect(shown.filter((text) => text.startsWith(script))).toHaveLength(1);
    expect(await page.locator('.answer script, .answer img').count()).toBe(0);
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    // The rater reads the answers as they were written, and learns nothing of who wrote them.
    expect(shown.find((text) => text.startsWith('The first'))).toContain('\n\n    Indented.\n');
    expect(await page.content()).not.toMatch(/model-(one|two)/);
  });

  it('a vote posted by a page of another site, by script and by form', async () => {
    const page = await openRating(server.invitations[0]!.link);
    const token = server.invitations[0]!.link.split('#')[1] as string;
    const asked = page.waitForResponse((response) => response.url().endsWith('/api/next'));
    await page.reload();
    const { comparison } = (await (await asked).json()) as { comparison: { id: string } };
    const address = `${server.url}/api/comparisons/${comparison.id}/vote`;
    const evil = await listen(`<!doctype html><form method="post" action="${address}"><input name="a"></form>`);
    const elsewhere = await open(`http://localhost:${(evil.address() as AddressInfo).port}/`);
    const outcomes = await elsewhere.evaluate(
      async ({ to, bearer }) => {
        const body = JSON.stringify({
          choices: { helpful: 'left', honest: 'left', harmless: 'left' },
          comment: '',
          seconds: 1,
        });
        const headers = {
          authorization: `Bearer ${bearer}`,
          'x-understudy-people': '1',
          'content-type': 'application/json',
        };
        const requests: RequestInit[] = [
          { method: 'PUT', headers, body },
          { method: 'POST', mode: 'no-cors', body },
        ];
        return Promise.all(
          requests.map((request) =>
            fetch(to, request).then(
              ({ type, status }) => `${type} ${status}`,
              () => 'blocked',
            ),
          ),
        );
      },
      { to: address, bearer: token },
    );
    expect(outcomes).toEqual(['blocked', 'blocked']);
    const posted = elsewhere.waitForResponse(
      (response) => response.url() === address && response.request().method() === 'POST',
    );
    await elsewhere.evaluate('document.forms[0].submit()');
    expect((await posted).status()).toBe(403);
    expect(votes()).toEqual([]);
    evil.close();
  });

  it('the page under a foreign name that points here, and in a frame', async () => {
    const { port } = new URL(server.url);
    const rebound = await chromium.launch({
      executablePath: process.env['CHROMIUM'] as string,
      args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP evil.example 127.0.0.1'],
    });
    const page = await rebound.newPage();
    const answer = await page.goto(`http://evil.example:${port}/${server.invitations[0]!.link.split('/').at(-1)}`);
    expect(answer?.status()).toBe(421);
    expect(await page.content()).not.toContain('Question');
    await rebound.close();
    const frame = await listen(`<!doctype html><iframe src="${server.invitations[0]!.link}"></iframe>`);
    const framing = await open(`http://localhost:${(frame.address() as AddressInfo).port}/`);
    const inside = framing.frames()[1];
    await framing.waitForLoadState('networkidle');
    expect((await inside?.locator('main').count()) ?? 0).toBe(0);
    frame.close();
  });
});

function listen(html: string): Promise<Server> {
  return new Promise((resolve) => {
    const site = createServer((_, response) => response.setHeader('content-type', 'text/html').end(html));
    site.listen(0, '127.0.0.1', () => resolve(site));
  });
}

const looks = [
  ['desktop light', { viewport: { width: 1440, height: 900 }, colorScheme: 'light' }],
  ['desktop dark', { viewport: { width: 1440, height: 900 }, colorScheme: 'dark' }],
  ['tablet light', { viewport: { width: 820, height: 1180 }, colorScheme: 'light' }],
  ['phone light', { viewport: { width: 390, height: 844 }, colorScheme: 'light', hasTouch: true, isMobile: true }],
  ['phone dark Chinese', { viewport: { width: 390, height: 844 }, colorScheme: 'dark', locale: 'zh-CN' }],
  ['narrow light', { viewport: { width: 320, height: 640 }, colorScheme: 'light' }],
] as const;

describe('the rating page', () => {
  it.each(looks)('%s: no violation of accessibility, fits its width, asks nobody else', async (name, options) => {
    await start(['--raters', '1', '--raters-per-item', '1', '--attention', '0']);
    const problems: string[] = [];
    const look = async (page: Page, what: string) => {
      const { violations, passes } = (await page.evaluate(
        `${axe}; axe.run(document, { runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] } })
          .then(({ violations, passes }) => ({
            violations: violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')),
            passes: passes.map(({ id }) => id),
          }))`,
      )) as Record<'violations' | 'passes', string[]>;
      // It did look.
      expect(passes).toEqual(expect.arrayContaining(['color-contrast', 'region']));
      problems.push(...violations.map((problem) => `${what}: ${problem}`));
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      if (overflow !== 0) problems.push(`${what}: ${overflow} px wider than the window`);
      const shots = process.env['SCREENSHOTS'];
      if (shots) await page.screenshot({ path: join(shots, `people ${name} ${what}.png`), fullPage: what !== 'guide' });
    };
    const page = await open('about:blank', options);
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('request', (request) => {
      if (!request.url().startsWith(server.url)) problems.push(`asked ${request.url()}`);
    });
    await page.goto(server.invitations[0]!.link);
    await page.locator('dialog').waitFor();
    await look(page, 'guide');
    await page.locator('dialog .primary').click();
    await page.locator('input[name=helpful]').first().check();
    await page.locator('form .primary').click();
    await look(page, 'rating');
    await page.locator('input[name=honest]').nth(1).check();
    await page.locator('input[name=harmless]').nth(2).check();
    await page.locator('form .primary').click();
    await page.getByRole('status').filter({ hasText: '1' }).waitFor();
    await look(page, 'saved');
    // Another invitation in the same window: the page starts anew by itself.
    await page.goto(`${server.url}/#nonsense`);
    await page.locator('main.notice h1').waitFor();
    problems.splice(0, problems.length, ...problems.filter((problem) => !problem.includes('401')));
    await look(page, 'refused');
    expect(problems).toEqual([]);
  });

  it('by keyboard: focus goes where it can be seen, single keys can be turned off', async () => {
    await start(['--raters', '1', '--raters-per-item', '1', '--attention', '0']);
    const page = await open(server.invitations[0]!.link);
    await page.locator('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('2');
    expect(await page.locator('input[name=helpful]:checked').getAttribute('value')).toBe('same');
    await page.keyboard.press('?');
    // Asked for again before the browser has told the page that it is closed.
    await page.evaluate(`document.querySelector('dialog').close();
      document.dispatchEvent(new KeyboardEvent('keydown', { key: '?' }))`);
    await page.locator('dialog[open]').waitFor();
    await page.getByLabel('Single-key shortcuts').uncheck();
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('3');
    expect(await page.locator('input[name=helpful]:checked').getAttribute('value')).toBe('same');
    expect(await page.locator('.key').count()).toBe(0);
    // By Tab and arrows alone, as on any page.
    await page.locator('input[name=helpful]:checked').focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('input[name=helpful]:checked').getAttribute('value')).toBe('right');
    await page.keyboard.press('Tab');
    const outline = await page.evaluate(`getComputedStyle(document.activeElement.closest('label')).outlineStyle`);
    expect(await page.evaluate('document.activeElement.name')).toBe('honest');
    expect(outline).toBe('solid');
  });

  it('changes its language and its colours, and remembers them', async () => {
    await start(['--raters', '1', '--raters-per-item', '1', '--attention', '0']);
    const page = await openRating(server.invitations[0]!.link, { locale: 'zh-CN' });
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN');
    await page.getByLabel('语言').selectOption('en');
    await page.getByLabel('Colours').selectOption('dark');
    await page.reload();
    await page.getByText('Helpful').waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
    expect(background).toBe('rgb(18, 20, 22)');
  });
});
