import { defineConfig } from 'vitest/config';

/** A file for machine-readable results beside the usual report; `.ci/run` counts from it. */
const jsonFile = process.env['KVS_TEST_JSON'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Watchdogs, not expectations: a test that waits for a condition never asserts an upper time bound.
    testTimeout: 240_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    retry: 0,
    globalSetup: ['scripts/leftover-guard.mjs'],
    // Tests run the compiled code as users do, by Node's own loader: worker threads load the same files.
    server: { deps: { external: [/\/dist\//] } },
    reporters: jsonFile === undefined ? ['default'] : ['default', ['json', { outputFile: jsonFile }]],
    coverage: {
      provider: 'v8',
      include: ['dist/**/*.js', 'src/**/*.ts'],
      reporter: ['text', 'html', 'json-summary'],
      reportsDirectory: 'coverage',
    },
  },
});
