/** Listens: one server a study folder, seen to by a lock that goes with the process however it ends. */
import type { Server } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { ConfigError } from '../../src/base/errors.ts';
import { tryLock } from '../../src/base/lock.ts';
import { makeApp } from './app.ts';
import { isEverywhere, ownHosts } from './guards.ts';
import { readPage } from './page-files.ts';
import { StudyStore } from './store.ts';
import { openSecret } from './tokens.ts';

export interface ServeOptions {
  readonly folder: string;
  /** Default: 127.0.0.1, reached from this machine alone. */
  readonly host?: string | undefined;
  /** 0: any that is free. */
  readonly port: number;
  readonly publicUrl?: string | undefined;
  readonly onError: (message: string) => void;
}

export interface RunningServer {
  /** What an invitation begins with; without a slash at its end. */
  readonly url: string;
  close(): Promise<void>;
}

/** A rater reads for a while between two requests: the connection stays. */
const keepAliveMs = 65_000;

/** Serves a study that has its items. Throws ConfigError where the port or the folder is taken. */
export async function serveStudy(options: ServeOptions): Promise<RunningServer> {
  const { folder, host = '127.0.0.1', port, publicUrl, onError } = options;
  const page = readPage();
  const lock = tryLock(join(folder, '.server.lock'));
  if (!('release' in lock)) {
    const owner = lock.pid === undefined ? '' : ` (process ${lock.pid})`;
    throw new ConfigError(`${folder} is served already${owner}`, { hint: 'stop that server, or name another folder' });
  }
  const store = new StudyStore(folder);
  let app: Hono | undefined;
  const server = createAdaptorServer({ fetch: (request) => app!.fetch(request) }) as Server;
  server.keepAliveTimeout = keepAliveMs;
  const close = async () => {
    await new Promise((resolve) => {
      server.close(resolve);
      // Browsers keep theirs open; a vote cut off here was not acknowledged, and comes again.
      server.closeAllConnections();
    });
    store.close();
    lock.release();
  };
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(cannotListen(host, port, error)));
      server.listen(port, host, resolve);
    });
    const { port: taken } = server.address() as AddressInfo;
    const url = (publicUrl ?? addressOf(host, taken)).replace(/\/+$/, '');
    const hosts = ownHosts({ host, port: taken, publicUrl });
    app = makeApp({ store, secret: openSecret(folder), page, hosts, onError }) as unknown as Hono;
    store.address = url;
    return { url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Where the server listens on every address, the first that others reach. */
function addressOf(host: string, port: number): string {
  const all = Object.values(networkInterfaces()).flatMap((some) => some ?? []);
  const outside = all.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1';
  const name = isEverywhere(host) ? outside : host;
  return `http://${isIPv6(name) ? `[${name}]` : name}:${port}`;
}

function cannotListen(host: string, port: number, error: Error): ConfigError {
  const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  return new ConfigError(`cannot listen on ${host}, port ${port}: ${isTaken ? 'the port is in use' : error.message}`, {
    hint: 'choose another with --port, or --port 0 for any that is free',
  });
}
