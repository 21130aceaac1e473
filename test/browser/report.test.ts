import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeReport } from '../../src/report/write-report.ts';
import { makeInput } from '../report/fixture.ts';

/** The report page in a real Chromium. Screenshots go to $SCREENSHOTS where that is set. */
const scratch = mkdtempSync(join(tmpdir(), 'understudy-browser-'));
let browser: Browser;

beforeAll(async () => {
  writeReport(scratch, makeInput());
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

const looks = [
  ['desktop light', 1280, 'light'],
  ['desktop dark', 1280, 'dark'],
  ['phone light', 390, 'light'],
  ['phone dark', 390, 'dark'],
] as const;

describe('the report page', () => {
  it.each(looks)('%s: shows everything, fetches nothing, fits its width', async (name, width, colorScheme) => {
    const page = await browser.newPage({ viewport: { width, height: 1000 }, colorScheme });
    const problems: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('request', (request) => {
      if (!request.url().startsWith('file:')) problems.push(`fetched ${request.url()}`);
    });
    await page.goto(pathToFileURL(join(scratch, 'report', 'index.html')).href);
    expect(await page.locator('h1').count()).toBe(1);
    expect(await page.locator('svg').count()).toBeGreaterThan(2);
    expect(await page.locator('#headline table tbody tr').count()).toBeGreaterThan(3);
    const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
    expect(overflow).toBe(0);
    expect(problems).toEqual([]);
    const folder = process.env['SCREENSHOTS'];
    if (folder) await page.screenshot({ path: join(folder, `report ${name}.png`), fullPage: true });
    await page.close();
  });
});
