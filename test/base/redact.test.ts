import { describe, expect, it } from 'vitest';
import { redact, rememberSecret } from '../../src/base/redact.ts';

/** [what would be written, what must not be in it any more] */
const leaks: [string, string][] = [
  ['Authorization: Bearer abcdef123456', 'abcdef123456'],
  ['authorization: Token abc123xyz', 'abc123xyz'],
  ['Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=deadbeef', 'deadbeef'],
  ['proxy-authorization: Basic dXNlcjpwYXNz', 'dXNlcjpwYXNz'],
  ['{"Authorization":"Bearer abcdef123456"}', 'abcdef123456'],
  ['cookie: session=s3cret; other=alsoS3cret', 'alsoS3cret'],
  ['Set-Cookie: id=s3cret; Path=/', 's3cret'],
  ['x-api-key: 0123456789abcdef', '0123456789abcdef'],
  ['"api_key": "0123456789abcdef"', '0123456789abcdef'],
  ['apiKey=0123456789abcdef', '0123456789abcdef'],
  ['password: hunter2hunter2', 'hunter2hunter2'],
  ['sent with bearer abcdef.ghi_jkl', 'abcdef.ghi_jkl'],
  ['https://user:pass@host/v1', 'pass'],
  ['postgres://me:p@ss:w@host:5432/db', 'ss:w'],
  ['GET https://host/v1?key=abc123&model=x', 'abc123'],
  ['https://host/?a=1&access_token=abc123', 'abc123'],
  ['https://host/?X-Amz-Signature=abc123', 'abc123'],
  ['https://host/?subscription-key=abc123', 'abc123'],
  ['Incorrect API key provided: sk-proj-abcdefghijklmnop', 'abcdefghijklmnop'],
  ['hf_abcdefghijklmnopqrst', 'abcdefghijklmnopqrst'],
];

describe('redact', () => {
  it.each(leaks)('hides the secret of %j', (text, secret) => {
    const clean = redact(text);
    expect(clean).not.toContain(secret);
    expect(clean).toContain('[redacted]');
    expect(redact(clean)).toBe(clean);
  });

  it('keeps what is around a secret', () => {
    expect(redact('GET https://host/v1?key=abc123&model=x failed')).toBe(
      'GET https://host/v1?key=[redacted]&model=x failed',
    );
    expect(redact('Authorization: Bearer abcdef123456\nContent-Type: text/plain')).toBe(
      'Authorization: [redacted]\nContent-Type: text/plain',
    );
    expect(redact('{"headers":{"authorization":"Bearer abcdef"},"status":401}')).toBe(
      '{"headers":{"authorization":"[redacted]"},"status":401}',
    );
    expect(redact('postgres://me:p@ss@host:5432/db')).toBe('postgres://[redacted]@host:5432/db');
  });

  it('leaves texts without credentials alone', () => {
    for (const text of [
      'the monkey has a key and a token of affection',
      'mail me@example.com about https://example.com/a@b?page=2',
      'sk-short, 200 tokens, status=401',
      'https://host/v1?email=a@b.c',
    ])
      expect(redact(text)).toBe(text);
  });

  it('hides remembered secrets wherever they stand, as written and as in an address', () => {
    rememberSecret('tr0ub4dor&3/x');
    expect(redact('it said tr0ub4dor&3/x, twice: tr0ub4dor&3/x')).toBe('it said [redacted], twice: [redacted]');
    expect(redact('at /login/tr0ub4dor%263%2Fx')).toBe('at /login/[redacted]');
  });

  it('hides the longer of two secrets whole where the other is its beginning', () => {
    rememberSecret('prefix-secret');
    rememberSecret('prefix-secret-and-its-tail');
    expect(redact('(prefix-secret-and-its-tail) (prefix-secret)')).toBe('([redacted]) ([redacted])');
  });

  it('does not remember values so short that they would hide words', () => {
    rememberSecret('short');
    rememberSecret('');
    rememberSecret(undefined);
    expect(redact('a short text')).toBe('a short text');
  });
});
