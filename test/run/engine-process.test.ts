import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { EngineProcess } from '../../src/run/engine-process.ts';

type Methods = {
  add: { params: { a: number; b: number }; event: { half: number }; result: { sum: number; bytes: Float32Array } };
  broken: { params: null; event: never; result: never };
  bug: { params: null; event: never; result: never };
  forever: { params: null; event: never; result: never };
  die: { params: null; event: never; result: never };
  threads: { params: null; event: never; result: string };
  workspace: { params: null; event: never; result: string };
  absent: { params: null; event: never; result: never };
};

const main = join(import.meta.dirname, 'fixtures/engine.mjs');
const engines: EngineProcess<Methods>[] = [];
const start = (options: { threads?: number; args?: readonly string[] } = {}) => {
  const engine = new EngineProcess<Methods>(main, options);
  engines.push(engine);
  return engine;
};
afterEach(() => {
  for (const engine of engines.splice(0)) engine.stop();
});

describe('the engine process', () => {
  it('calls, reports events first, returns typed arrays, and sets threads at spawn', async () => {
    const engine = start({ threads: 3 });
    const events: unknown[] = [];
    const result = await engine.call('add', { a: 1, b: 2 }, { onEvent: (event) => events.push(event) });
    expect(result).toEqual({ sum: 3, bytes: new Float32Array([1, 2]) });
    expect(events).toEqual([{ half: 1 }]);
    expect(await engine.call('threads', null)).toBe('3');
  });

  it('carries our errors whole, names a bug as one, and lives on', async () => {
    const engine = start();
    await expect(engine.call('broken', null)).rejects.toMatchObject({
      code: 'data',
      exitCode: 2,
      message: 'rows.json:3: expected a number',
      hint: 'mend it',
    });
    await expect(engine.call('bug', null)).rejects.toMatchObject({ code: 'bug', exitCode: 1 });
    await expect(engine.call('absent', null)).rejects.toThrow('no method absent');
    expect((await engine.call('add', { a: 2, b: 2 })).sum).toBe(4);
  });

  it('cancels a running call at its next safe point, and refuses one that was cancelled before', async () => {
    const engine = start();
    const controller = new AbortController();
    await engine.call('threads', null); // it has started
    const running = engine.call('forever', null, { signal: controller.signal });
    const queued = engine.call('threads', null);
    setTimeout(() => controller.abort(), 50);
    await expect(running).rejects.toThrow('stopped');
    await queued;
    await expect(engine.call('threads', null, { signal: controller.signal })).rejects.toMatchObject({ exitCode: 130 });
  });

  it('reports a crash with its last words, to every call that waits', async () => {
    const engine = start();
    const waiting = [engine.call('die', null), engine.call('add', { a: 1, b: 1 })];
    for (const call of waiting) {
      await expect(call).rejects.toMatchObject({
        code: 'native',
        message: expect.stringMatching(/SIGSEGV.*last words/s),
      });
    }
    await expect(engine.call('threads', null)).rejects.toThrow('ended');
  });

  it('has a workspace for cuBLAS without which a GPU gives other bits from run to run', async () => {
    expect(await start().call('workspace', null)).toBe(':4096:8');
  });

  it('answers every call with what kept it from starting', async () => {
    const engine = start({ args: ['cuda'] });
    for (const call of [engine.call('threads', null), engine.call('add', { a: 1, b: 1 })]) {
      await expect(call).rejects.toMatchObject({ code: 'config', exitCode: 2, hint: 'take auto' });
    }
  });

  it('says so when it cannot start at all', async () => {
    const engine = new EngineProcess<Methods>(join(import.meta.dirname, 'fixtures/absent.mjs'));
    await expect(engine.call('threads', null)).rejects.toThrow(/ended unexpectedly \(exit code 1\)/);
  });
});
