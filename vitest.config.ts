import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** A file for machine-readable results beside the usual report; `.ci/run` counts from it. */
const jsonFile = process.env['KVS_TEST_JSON'];

/** They take longest, longest first: one that is begun last is waited for by itself. */
const LONG = [
  'cli/kvs-client',
  'crash/crash-points',
  'cli/kvs-server',
  'integration/warm-restart',
  'integration/killed-clients',
  'integration/foreign-values',
  'model/heap',
  'log/power-loss',
  'server/in-flight',
  'integration/server-restart',
  'model/pins',
  'durability/failing-disk',
  'server/log-deaths',
  'store/death',
];

/** Where no earlier run has left its times, vitest begins with the largest files, which are not the ones that take long. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification): number => {
      const rank = LONG.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return rank < 0 ? LONG.length : rank;
    };
    return (await super.sort(files)).sort((a, b) => rankOf(a) - rankOf(b));
  }
}

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
    sequence: { sequencer: LongestFirst },
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
