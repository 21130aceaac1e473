/** A teacher for the program to ask: the tests' chat server, up while a file's tests run. */
import { afterAll, beforeAll } from 'vitest';
import {
  type ChatServer,
  type ChatServerOptions,
  type ServedRequest,
  startChatServer,
} from '../teacher/fixtures/chat-server.ts';

export interface AskedServer {
  readonly baseUrl: string;
  /** Every chat request that arrived, in order. */
  readonly requests: readonly ServedRequest[];
  /** The teacher it is, as flags. */
  flags(model: string): string[];
}

/** To be called outside of tests; the server is there from the first of them on. */
export function chatServer(options: ChatServerOptions): AskedServer {
  let server: ChatServer;
  beforeAll(async () => {
    server = await startChatServer(options);
  });
  afterAll(() => server.close());
  return {
    get baseUrl() {
      return server.baseUrl;
    },
    get requests() {
      return server.requests;
    },
    flags: (model) => ['--provider', 'openai-compatible', '--base-url', server.baseUrl, '--model', model],
  };
}
