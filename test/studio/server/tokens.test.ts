import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import { openSecret, readToken, writeToken } from '../../../studio/server/tokens.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-tokens-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const secret = Buffer.alloc(32, 7);
const invitation = { rater: 'Anna Müller 安娜', expiresAtMs: 2_000_000 };

describe('a token', () => {
  const token = writeToken(secret, invitation);

  it('says whose it is until it expires', () => {
    expect(readToken(secret, token, 1_999_999)).toEqual(invitation);
    expect(readToken(secret, token, 2_000_000)).toBe('expired');
  });

  it('goes into an address as it is', () => {
    expect(encodeURIComponent(token)).toBe(token);
  });

  it('counts for nothing under another secret', () => {
    expect(readToken(Buffer.alloc(32, 8), token, 0)).toBe('forged');
  });

  it('is forged as soon as one character is another', () => {
    for (let at = 0; at < token.length; at++) {
      const other = token[at] === 'A' ? 'B' : 'A';
      const changed = token.slice(0, at) + other + token.slice(at + 1);
      // The last character of a base64 signature holds bits that count for nothing.
      if (at === token.length - 1) continue;
      expect(readToken(secret, changed, 0), `character ${at}`).toBe('forged');
    }
  });

  it('does not take another claim under its signature, nor a claim that is expired and forged for expired', () => {
    const [, signature] = token.split('.');
    const claim = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    expect(readToken(secret, `${claim(['bo', 2_000_000])}.${signature}`, 0)).toBe('forged');
    expect(readToken(secret, `${claim([invitation.rater, 9_000_000])}.${signature}`, 3_000_000)).toBe('forged');
  });

  it.each(['', '.', 'a.b', `${token}.${token}`, `${token}=`, ' ', 'a'.repeat(5000)])(
    '%#: nonsense is forged',
    (text) => {
      expect(readToken(secret, text, 0)).toBe('forged');
    },
  );
});

describe('the secret', () => {
  it('is made once, 32 bytes, for its owner alone', () => {
    const first = openSecret(scratch);
    expect(first).toHaveLength(32);
    expect(openSecret(scratch)).toEqual(first);
    expect(statSync(join(scratch, 'secret')).mode & 0o777).toBe(0o600);
    chmodSync(join(scratch, 'secret'), 0o644);
    openSecret(scratch);
    expect(statSync(join(scratch, 'secret')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(scratch, 'secret'), 'utf8').trim()).toBe(first.toString('hex'));
  });

  it('is not guessed from a broken file', () => {
    const folder = mkdtempSync(join(scratch, 'broken-'));
    writeFileSync(join(folder, 'secret'), 'short\n');
    expect(() => openSecret(folder)).toThrow(ConfigError);
  });
});
