import { defineConfig } from 'vitest/config';

// Tests fork, kill and block: everything that may block runs in child processes under a watchdog of its own
// (test/support/child.ts), because a blocked test thread would hang the runner for ever.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: true,
    maxWorkers: 2,
    // Where others use the same two cores, a moment may last seconds. What fails there is tried again, and reported as such.
    retry: process.env.CI ? 2 : 0,
    globalSetup: ['test/support/leak-check.ts'],
  },
});
