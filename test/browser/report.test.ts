import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '../../src/report/report-input.ts';
import { chinese } from '../../src/report/words.ts';
import { reportOfRun, writeReport } from '../../src/report/write-report.ts';
import {
  automaticSource,
  judgeSource,
  peopleSource,
  rewardSource,
  rlSource,
  rougeSource,
} from '../report/evaluations-fixture.ts';
import { makeInput } from '../report/fixture.ts';

/** The report page in a real Chromium. Screenshots go to $SCREENSHOTS where that is set. */
const scratch = mkdtempSync(join(tmpdir(), 'understudy-browser-'));
let browser: Browser;

beforeAll(async () => {
  writeReport(join(scratch, 'one'), reportOfRun(makeInput()));
  writeReport(join(scratch, 'several'), several);
  writeReport(join(scratch, 'chinese'), several, chinese);
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

const [inputA, inputB] = [makeInput(), makeInput({ english: 30 })];
const several: Report = {
  title: 'Two runs and four evaluations',
  sources: [
    { kind: 'run', name: 'run-a', files: {}, input: inputA },
    { kind: 'run', name: 'run-b', files: {}, input: { ...inputB, config: { ...(inputB.config as object), seed: 7 } } },
    judgeSource('reference', 'vicuna-80'),
    judgeSource('single'),
    judgeSource('pair'),
    peopleSource('user-oriented-252'),
    automaticSource(),
    rougeSource('student-answers'),
    rougeSource('tutor-answers'),
    rlSource(),
    rewardSource(),
  ],
};

const looks = [
  ['desktop light', 1280, 'light'],
  ['desktop dark', 1280, 'dark'],
  ['phone light', 390, 'light'],
  ['phone dark', 390, 'dark'],
] as const;

const pages = ['one', 'several', 'chinese'] as const;

/** A page, and what went wrong on it: errors, and anything fetched that is not a file here. */
async function open(
  folder: string,
  options: Parameters<Browser['newPage']>[0] = { viewport: { width: 1280, height: 1000 } },
): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage(options);
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith('file:')) problems.push(`fetched ${request.url()}`);
  });
  await page.goto(pathToFileURL(join(scratch, folder, 'index.html')).href);
  return { page, problems };
}

async function screenshot(page: Page, name: string, fullPage = true): Promise<void> {
  const folder = process.env['SCREENSHOTS'];
  if (folder) await page.screenshot({ path: join(folder, `report ${name}.png`), fullPage });
}

describe('the report page', () => {
  const all = pages.flatMap((folder) => looks.map(([look, width, scheme]) => [folder, look, width, scheme] as const));
  it.each(all)(
    '%s, %s: shows everything, fetches nothing, fits its width',
    async (folder, look, width, colorScheme) => {
      const { page, problems } = await open(folder, { viewport: { width, height: 1000 }, colorScheme });
      expect(await page.locator('h1').count()).toBe(1);
      expect(await page.locator('svg').count()).toBeGreaterThan(2);
      expect(await page.locator('#headline table tbody tr').count()).toBeGreaterThan(3);
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect(overflow).toBe(0);
      await screenshot(page, `${folder} ${look}`);
      await page.locator('a.rows').first().click();
      await page.locator('dialog[open] details.row').first().waitFor();
      const wide = await page.evaluate(
        'document.querySelector("dialog").scrollWidth - document.querySelector("dialog").clientWidth',
      );
      expect(wide).toBe(0);
      await screenshot(page, `${folder} ${look} rows`, false);
      expect(problems).toEqual([]);
      await page.close();
    },
  );
});

/** The page without the rows that stand in it. */
const firstView = (folder: string): string =>
  readFileSync(join(scratch, folder, 'index.html'), 'utf8').replace(
    /<script type="application\/json" id="rows-[\s\S]*?<\/script>/g,
    '',
  );

describe('the browser of rows', () => {
  it('opens the rows of a figure, searches, chooses, and compares two answers word by word', async () => {
    const { page, problems } = await open('several');
    const rows = page.locator('dialog[open] details.row');
    await page.locator('#judge-3 a.rows', { hasText: '20 (' }).first().click();
    await rows.first().waitFor();
    expect(await page.locator('dialog h2').textContent()).toBe('judged-reference: comparisons');
    const counted = page.locator('dialog .counted');
    const said = await page.locator('#judge-3 a.rows', { hasText: '20 (' }).first().textContent();
    expect(await counted.textContent()).toBe(`${said!.split(' ')[0]} of 40 rows`);
    // Only the first is open, and a row's body is made when it is opened.
    expect(await page.locator('dialog details[open]').count()).toBe(1);

    await page.keyboard.press('/');
    const asked = await page.locator('dialog .prompt').first().textContent();
    await page.keyboard.type(asked!.replace('plan', 'PLAN'));
    expect(await rows.count()).toBe(1);
    await rows.first().locator('summary').click();
    await page.getByRole('button', { name: 'Compare word by word' }).click();
    const removed = await page.locator('dialog del').allTextContents();
    const added = await page.locator('dialog ins').allTextContents();
    expect(removed.join('')).not.toBe('');
    expect(removed.concat(added).join(' ')).not.toContain('Begin with a list');
    await screenshot(page, 'difference', false);

    await page.locator('dialog input').fill('');
    await page.locator('dialog select[data-facet=category]').selectOption('coding');
    expect(await rows.count()).toBeGreaterThan(1);
    expect(page.url()).toContain('category=coding');
    await page.locator('dialog input').fill('nothing is like this');
    expect(await page.locator('dialog .none').textContent()).toBe('No row is like that.');
    await page.keyboard.press('Escape');
    expect(await page.locator('dialog[open]').count()).toBe(0);
    expect(page.url()).not.toContain('#');
    expect(problems).toEqual([]);
    await page.close();
  });

  it('opens from an address, and shows hostile rows as text', async () => {
    const input = makeInput({ english: 4, chinese: 0 });
    const hostile = '</script><img src=x onerror="document.title=1"><b>bold</b> {n} $&';
    const rows = input.evaluation.rows.map((row) => ({
      ...row,
      id: `${row.id} ${hostile}`,
      category: 'constructor',
      prompt: hostile,
    }));
    writeReport(
      join(scratch, 'hostile'),
      reportOfRun({ ...input, title: hostile, evaluation: { ...input.evaluation, rows } }),
    );
    const { page, problems } = await open('hostile');
    await page.goto(`${page.url()}#rows=run-1-questions&language=en&constructor=x`);
    await page.locator('dialog .chip').click();
    await page.locator('dialog details.row summary').first().click();
    expect(await page.locator('dialog .prompt').first().textContent()).toBe(hostile);
    expect(await page.locator('dialog .mark').nth(1).textContent()).toBe('constructor');
    expect(await page.locator('dialog img, dialog b b').count()).toBe(0);
    expect(await page.title()).toBe(hostile);
    expect(problems).toEqual([]);
    await page.close();
  });

  it('loads many rows from beside the page when they are asked for, and not before', async () => {
    const input = makeInput({ english: 4, chinese: 0 });
    const dataRows = Array.from({ length: 6000 }, (_, i) => ({
      ...{ id: `d${i}`, language: i % 3 === 0 ? 'zh' : 'en', category: 'code', teacher: input.data[0]!.teacher },
      ...{ prompt: `question ${i} ${'x'.repeat(500)}`, answer: `answer ${i} ${'y'.repeat(500)}` },
    }));
    writeReport(join(scratch, 'many'), reportOfRun({ ...input, dataRows }));
    expect(firstView('many')).toBe(readFileSync(join(scratch, 'many', 'index.html'), 'utf8'));
    const { page, problems } = await open('many');
    const fetched: string[] = [];
    page.on('request', (request) => fetched.push(request.url()));
    await page.locator('#headline a.rows').first().click();
    await page.locator('dialog details.row').first().waitFor();
    expect(
      fetched.map((url) =>
        url
          .split('/')
          .at(-1)!
          .replace(/-[0-9a-f]{8}/, ''),
      ),
    ).toEqual(['run-1-questions-0.js']);
    await page.keyboard.press('Escape');
    await page.locator('#data a.rows').first().click();
    await page.locator('dialog .counted', { hasText: '4,000 of 6,000 rows' }).waitFor();
    expect(await page.locator('dialog details.row').count()).toBe(50);
    await page.locator('dialog .more').click();
    expect(await page.locator('dialog details.row').count()).toBe(100);
    expect(problems).toEqual([]);
    await page.close();
  });
});

describe('weight and paper', () => {
  it('has a first view under 1 MB', () => {
    for (const folder of pages) expect(Buffer.byteLength(firstView(folder)), folder).toBeLessThan(1_000_000);
  });

  it('prints: no browser of rows, no contents, tables as wide as the paper', async () => {
    const { page, problems } = await open('several', { viewport: { width: 1280, height: 1000 }, colorScheme: 'dark' });
    await page.locator('#headline a.rows').first().click();
    await page.locator('dialog[open] details.row').first().waitFor();
    await page.emulateMedia({ media: 'print' });
    expect(await page.locator('dialog').isVisible()).toBe(false);
    expect(await page.locator('nav').isVisible()).toBe(false);
    // As wide as A4 within its margins, at 96 dots to the inch: what stands out there is cut off on paper.
    await page.setViewportSize({ width: 688, height: 1000 });
    const standingOut = `[...document.querySelectorAll('main *, body > *')]
      .filter((one) => one.getBoundingClientRect().right > document.body.getBoundingClientRect().right + 1)
      .map((one) => one.tagName + ' ' + (one.textContent ?? '').trim().slice(0, 40))`;
    expect(await page.evaluate(standingOut)).toEqual([]);
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toMatch(/255, 255, 255|0, 0, 0, 0/);
    const folder = process.env['SCREENSHOTS'];
    const path = join(folder ?? scratch, 'report.pdf');
    await page.pdf({ path, format: 'A4', margin: { top: '14mm', bottom: '14mm', left: '14mm', right: '14mm' } });
    expect(readFileSync(path).subarray(0, 5).toString()).toBe('%PDF-');
    expect(problems).toEqual([]);
    await page.close();
  });
});
