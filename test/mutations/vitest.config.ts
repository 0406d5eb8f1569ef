import { mergeConfig } from 'vitest/config';

import base from '../../vitest.config.js';

/** The explorations, of a build that is elsewhere. */
export default mergeConfig(base, {
  resolve: { alias: [{ find: /^#dist\//, replacement: `${process.env['KVS_MUTATED']}/dist/` }] },
  test: { globalSetup: [] },
});
