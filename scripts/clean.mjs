/** Deletes everything that a build or a test run makes; keeps node_modules. */
import { rmSync } from 'node:fs';
import path from 'node:path';

for (const folder of ['bin', 'build', 'coverage', 'dist', 'prebuilds']) {
  rmSync(path.join(import.meta.dirname, '..', folder), { recursive: true, force: true });
}
