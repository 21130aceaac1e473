/**
 * The server's addresses: the page, and three for a rater's own comparisons. It answers whoever carries a valid
 * invitation, with that rater's comparisons only; no answer holds a model's name, another rater's vote, or whether a
 * comparison is an attention check. It writes no log of requests: a token stands in each.
 */
import { type Context, Hono } from 'hono';
import { WorkError } from '../../src/base/errors.ts';
import type { ComparisonAnswer, NextAnswer, StoredAnswer } from '../protocol.ts';
import { limitBody, refuse, requireOwnHost, requireOwnPage, setHeaders } from './guards.ts';
import { htmlIn, type Page, preferredLanguage } from './page-files.ts';
import { readVote } from './read-vote.ts';
import type { StudyStore } from './store.ts';
import { readToken } from './tokens.ts';

export interface AppParts {
  readonly store: StudyStore;
  readonly secret: Buffer;
  readonly page: Page;
  /** Values of `Host` that are answered (guards.ts). */
  readonly hosts: ReadonlySet<string>;
  /** Told when a vote could not be stored; never gets anything of the request. */
  readonly onError: (message: string) => void;
  readonly nowMs?: () => number;
}

type Variables = { readonly Variables: { rater: string } };

export function makeApp({ store, secret, page, hosts, onError, nowMs = Date.now }: AppParts): Hono<Variables> {
  const app = new Hono<Variables>();
  app.use(setHeaders, requireOwnHost(hosts));

  app.get('/', (context) => {
    context.header('Vary', 'Accept-Language');
    context.header('Cache-Control', 'no-cache');
    return context.html(htmlIn(page, preferredLanguage(context.req.header('accept-language'))));
  });
  for (const [path, { type, bytes }] of page.files) {
    // Vite puts a hash of the content into the name.
    app.get(path, (context) =>
      context.body(bytes, 200, { 'Content-Type': type, 'Cache-Control': 'public, max-age=31536000, immutable' }),
    );
  }

  app.use('/api/*', requireOwnPage(hosts), limitBody, async (context, next) => {
    const token = /^Bearer (\S+)$/i.exec(context.req.header('authorization') ?? '')?.[1] ?? '';
    const invitation = readToken(secret, token, nowMs());
    if (typeof invitation === 'string') return refuse(context, invitation);
    if (!store.hasRater(invitation.rater)) return refuse(context, 'forged');
    context.set('rater', invitation.rater);
    return next();
  });
  app.post('/api/next', (context) => context.json(store.next(context.get('rater'), nowMs()) satisfies NextAnswer));
  app.get('/api/comparisons/:id', (context) => {
    const comparison = store.comparison(context.get('rater'), context.req.param('id'));
    return comparison === undefined
      ? refuse(context, 'not-yours')
      : context.json({ comparison } satisfies ComparisonAnswer);
  });
  app.put('/api/comparisons/:id/vote', async (context) => {
    const vote = isJson(context) ? readVote(await context.req.json().catch(() => undefined)) : undefined;
    if (vote === undefined) return refuse(context, 'bad-vote');
    const isOwn = store.vote(context.get('rater'), context.req.param('id'), vote, nowMs());
    return isOwn ? context.json({ stored: true } satisfies StoredAnswer) : refuse(context, 'not-yours');
  });

  app.notFound((context) => refuse(context, 'not-found'));
  app.onError((error, context) => {
    onError(error instanceof WorkError ? error.message : (error.stack ?? error.message));
    return refuse(context, 'not-stored');
  });
  return app;
}

const isJson = (context: Context): boolean =>
  /^application\/json\s*(;|$)/i.test(context.req.header('content-type') ?? '');
