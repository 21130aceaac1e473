import { defineConfig } from 'vitest/config';

// Native tests and engine children each want the cores for themselves: two files at a time is as fast as more, and
// threads that spin while they wait would take the cores from one another.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/peers/**', 'test/browser/**'],
    maxWorkers: 2,
    pool: 'forks',
    testTimeout: 180_000,
    hookTimeout: 120_000,
    env: { OMP_WAIT_POLICY: 'passive' },
  },
});
