import { defineConfig } from 'vitest/config';

// Native tests and engine children each want the cores for themselves: two files at a time is as fast as more here.
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], maxWorkers: 2, pool: 'forks', testTimeout: 60_000, hookTimeout: 120_000 },
});
