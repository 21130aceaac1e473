/** A study as people make one: the program serves it, raters vote over HTTP, then it is stopped. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Rng } from '../../src/base/rng.ts';
import { clientHeader, type NextAnswer, type Side, sides } from '../../studio/protocol.ts';
import { root } from './program.ts';

export interface StudyItem {
  readonly id: string;
  readonly question: string;
  readonly answers: Readonly<Record<string, string>>;
}

interface Invitation {
  readonly rater: string;
  readonly link: string;
}

/** Each rater votes until nothing is left, or `most` times. Returns how many votes were acknowledged. */
export async function makeStudy(
  folder: string,
  items: readonly StudyItem[],
  { raters, most = Number.POSITIVE_INFINITY, flags = [] }: { raters: number; most?: number; flags?: readonly string[] },
): Promise<number> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'items.jsonl');
  writeFileSync(file, items.map((item) => `${JSON.stringify(item)}\n`).join(''));
  const args = [file, '--out', folder, '--port', '0', '--raters', String(raters), '--json', ...flags];
  const child = spawn(process.execPath, [join(root, 'understudy'), 'evaluate', 'human', 'serve', ...args], {
    env: { ...process.env, UNDERSTUDY_SKIP_SETUP: '1', NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  try {
    const { url, invitations } = await announced(child.stdout);
    let votes = 0;
    for (const { rater, link } of invitations) votes += await rate(url, link.split('#')[1] ?? '', rater, most);
    return votes;
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

function announced(stdout: NodeJS.ReadableStream): Promise<{ url: string; invitations: Invitation[] }> {
  return new Promise((resolve, reject) => {
    let text = '';
    stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.endsWith('}\n')) resolve(JSON.parse(text) as { url: string; invitations: Invitation[] });
    });
    stdout.on('end', () => reject(new Error(`the server ended, and had said: ${text}`)));
  });
}

async function rate(url: string, token: string, rater: string, most: number): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, [clientHeader]: '1', 'content-type': 'application/json' };
  const rng = new Rng('rater', rater);
  for (let votes = 0; ; votes++) {
    const asked = await fetch(`${url}/api/next`, { method: 'POST', headers, body: '{}' });
    const next = (await asked.json()) as NextAnswer;
    if (next.kind !== 'comparison' || votes >= most) return votes;
    const { id, left, right } = next.comparison;
    // Most like the longer answer; one in four does as it likes.
    const longer: Side = left.length > right.length ? 'left' : left.length < right.length ? 'right' : 'same';
    const choice = (): Side => (rng.uniform() < 0.25 ? sides[rng.int(3)]! : longer);
    const choices = { helpful: choice(), honest: choice(), harmless: rng.uniform() < 0.8 ? 'same' : choice() };
    const comment = rng.uniform() < 0.2 ? 'Too short, but “right”; <b>see</b> 答案太短。' : '';
    const body = JSON.stringify({ choices, comment, seconds: 5 + rng.int(400) / 10 });
    const stored = await fetch(`${url}/api/comparisons/${id}/vote`, { method: 'PUT', headers, body });
    if (!stored.ok) throw new Error(`vote not stored: ${stored.status} ${await stored.text()}`);
  }
}
