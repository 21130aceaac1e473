import { defineConfig } from 'vitest/config';

// Most of a test's time is Python importing, on one core: two files at a time.
export default defineConfig({
  test: {
    include: ['test/peers/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
    pool: 'forks',
    env: { OMP_WAIT_POLICY: 'passive' },
  },
});
