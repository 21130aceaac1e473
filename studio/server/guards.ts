/**
 * What every request has to pass before anything looks at it. A page of another site must not reach the study through a
 * rater's browser: not by a form or script of its own (Origin, Sec-Fetch-Site, a header that needs asking first), not by
 * a name of its own that it lets point here (Host), not in a frame. There are no cookies: the token comes in a header.
 */
import { networkInterfaces } from 'node:os';
import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { clientHeader, maxBodyBytes, type Refusal, type RefusalCode } from '../protocol.ts';

const statusOf: Readonly<Record<RefusalCode, ContentfulStatusCode>> = {
  expired: 401,
  forged: 401,
  'foreign-host': 421,
  'cross-site': 403,
  'not-yours': 403,
  'bad-vote': 400,
  'too-large': 413,
  'not-found': 404,
  'not-stored': 503,
};

export const refuse = (context: Context, refused: RefusalCode): Response =>
  context.json({ refused } satisfies Refusal, statusOf[refused]);

/** The page's own files and nothing else; no script in the page itself. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const headers: Readonly<Record<string, string>> = {
  'Content-Security-Policy': contentSecurityPolicy,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
};

export const setHeaders: MiddlewareHandler = async (context, next) => {
  await next();
  for (const [name, value] of Object.entries(headers)) context.res.headers.set(name, value);
  if (context.req.path.startsWith('/api/')) context.res.headers.set('Cache-Control', 'no-store');
};

export interface Place {
  /** What the server listens on: a name or address of this machine. */
  readonly host: string;
  readonly port: number;
  /** Where raters reach it, if that is elsewhere: through a proxy, or by a name. */
  readonly publicUrl?: string | undefined;
}

/** Whether that means every address of the machine. */
export const isEverywhere = (host: string): boolean => ['0.0.0.0', '::'].includes(host);

/**
 * The values of `Host` that are answered. Where the server listens on every address of the machine, those are its addresses:
 * a name that somebody lets point at one of them is not among them.
 */
export function ownHosts({ host, port, publicUrl }: Place): Set<string> {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const names = [
    '127.0.0.1',
    '::1',
    'localhost',
    ...(isEverywhere(host) ? addresses.map(({ address }) => address) : [host]),
  ];
  const withPort = names.map((name) => `${name.includes(':') ? `[${name}]` : name}:${port}`.toLowerCase());
  return new Set([...withPort, ...(publicUrl === undefined ? [] : [new URL(publicUrl).host])]);
}

export const requireOwnHost =
  (hosts: ReadonlySet<string>): MiddlewareHandler =>
  async (context, next) =>
    hosts.has(context.req.header('host')?.toLowerCase() ?? '') ? next() : refuse(context, 'foreign-host');

/** For api/: from the page itself, or from no page at all. */
export const requireOwnPage =
  (hosts: ReadonlySet<string>): MiddlewareHandler =>
  async (context, next) => {
    const { req } = context;
    const site = req.header('sec-fetch-site');
    const origin = req.header('origin');
    const isOwn =
      (site === undefined || site === 'same-origin') &&
      (origin === undefined || hosts.has(hostOf(origin))) &&
      req.header(clientHeader) === '1';
    return isOwn ? next() : refuse(context, 'cross-site');
  };

/** '' for `null`, which a sandboxed page has for its origin. */
const hostOf = (origin: string): string => (URL.canParse(origin) ? new URL(origin).host : '');

export const limitBody: MiddlewareHandler = bodyLimit({
  maxSize: maxBodyBytes,
  onError: (context) => refuse(context, 'too-large'),
});
