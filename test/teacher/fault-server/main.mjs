/**
 * A server that speaks the protocols of OpenAI and Anthropic, online and in batches, and fails as they fail: a process of
 * its own, for tests of the teacher layer and for trying things by hand.
 *
 *   node test/teacher/fault-server/main.mjs --port 0 --state FILE --seed N [--faults JSON]
 *
 * Prints {"address","baseUrl","pid"} when it listens. GET /__state: what it did. POST /__faults: any part of settings.mjs,
 * from now on. It counts in FILE, keeps files beside it (FILE.files), and started again goes on where it was.
 */
import { parseArgs } from 'node:util';
import { Limits } from './limits.mjs';
import { listen } from './server.mjs';
import { changed, defaults } from './settings.mjs';
import { State } from './state.mjs';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    state: { type: 'string' },
    seed: { type: 'string', default: '1' },
    faults: { type: 'string', default: '{}' },
    // So that a test that dies leaves no server behind.
    'until-stdin-ends': { type: 'boolean', default: false },
  },
});
if (values.state === undefined) throw new Error('expected --state FILE');

const settings = changed(defaults, JSON.parse(values.faults));
/** @type {import('./context.mjs').Context} */
const context = {
  seed: Number(values.seed),
  startedAt: Date.now(),
  settings,
  state: new State(values.state),
  limits: new Limits(settings.limits),
  folder: `${values.state}.files`,
  address: 'http://127.0.0.1',
  controlCalls: 0,
};
const server = await listen(context, Number(values.port));
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
context.address = `http://127.0.0.1:${port}`;
console.log(JSON.stringify({ address: context.address, baseUrl: `${context.address}/v1`, pid: process.pid }));

function stop() {
  server.closeAllConnections();
  context.state.close();
  process.exit(0);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (values['until-stdin-ends']) process.stdin.on('end', stop).resume();
