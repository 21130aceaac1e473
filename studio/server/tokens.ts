/**
 * Invitations: a token names a rater and a time, signed with the study's secret (HMAC-SHA-256, RFC 2104). Whoever has
 * the link is that rater; nothing else is asked. A token cannot be taken back before it expires, except with all others:
 * delete the file `secret`, and new ones have to be given out.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fsyncPath } from '../../src/base/atomic.ts';
import { ConfigError } from '../../src/base/errors.ts';

export interface Invitation {
  readonly rater: string;
  /** Milliseconds since 1970; the token is refused from then on. */
  readonly expiresAtMs: number;
}

const secretBytes = 32;
/** Signed along, so that a signature made here means nothing elsewhere. */
const purpose = 'understudy people 1';

/** The secret of a study's folder, made at the first call; readable by its owner alone. */
export function openSecret(folder: string): Buffer {
  const file = join(folder, 'secret');
  let handle: number | undefined;
  try {
    handle = openSync(file, 'wx', 0o600);
    writeSync(handle, `${randomBytes(secretBytes).toString('hex')}\n`);
    fsyncSync(handle);
    fsyncPath(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
  const text = readFileSync(file, 'utf8').trim();
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new ConfigError(`${file}: expected ${2 * secretBytes} hexadecimal digits, found ${text.length} characters`, {
      hint: 'delete the file: a new secret is made, and all invitations have to be given out anew',
    });
  }
  chmodSync(file, 0o600);
  return Buffer.from(text, 'hex');
}

/** Letters, digits, `-`, `_` and one `.`: goes into an address as it is. */
export function writeToken(secret: Buffer, { rater, expiresAtMs }: Invitation): string {
  const claim = Buffer.from(JSON.stringify([rater, expiresAtMs])).toString('base64url');
  return `${claim}.${signature(secret, claim).toString('base64url')}`;
}

/** What a token says, or why it counts for nothing. One that is both forged and expired is forged. */
export function readToken(secret: Buffer, token: string, nowMs: number): Invitation | 'forged' | 'expired' {
  const [, claim, signed] = /^([\w-]{1,1000})\.([\w-]{43})$/.exec(token) ?? [];
  if (claim === undefined || signed === undefined) return 'forged';
  if (!timingSafeEqual(signature(secret, claim), Buffer.from(signed, 'base64url'))) return 'forged';
  const [rater, expiresAtMs] = JSON.parse(Buffer.from(claim, 'base64url').toString()) as [string, number];
  return nowMs < expiresAtMs ? { rater, expiresAtMs } : 'expired';
}

const signature = (secret: Buffer, claim: string): Buffer =>
  createHmac('sha256', secret).update(`${purpose}\n${claim}`).digest();
