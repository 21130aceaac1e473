import { expect, test } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { packagesFolder } from '../../src/base/paths.ts';
import { defaultThreads, findNodeLlamaCpp, nodeLlamaCppVersion } from '../../src/local/llama-cpp.ts';
import { temporaryFolder } from '../teacher/fixtures/make.ts';

/** What it does: test/peers/gguf.test.ts. */
test('where it is not installed the error says how, with the binaries of this platform alone', () => {
  const error = (() => {
    try {
      return findNodeLlamaCpp([temporaryFolder()]);
    } catch (reason) {
      return reason;
    }
  })();
  expect(error).toBeInstanceOf(ConfigError);
  const { hint = '' } = error as ConfigError;
  expect(hint).toContain(`npm install --prefix "${packagesFolder}" --omit=optional --ignore-scripts`);
  expect(hint).toContain(`node-llama-cpp@${nodeLlamaCppVersion} @node-llama-cpp/`);
  expect(hint.match(/@node-llama-cpp\//g)).toHaveLength(1);
});

test('threads: a core is left to Node, and those that others use', () => {
  expect(defaultThreads(8, 0)).toBe(7);
  expect(defaultThreads(8, 1.2)).toBe(7);
  expect(defaultThreads(8, 2.6)).toBe(5);
  expect(defaultThreads(2, 0.1)).toBe(1);
  expect(defaultThreads(2, 9)).toBe(1);
});
