/**
 * Judges a history that was saved: `node test/storm/check-history.mjs <folder> [key]`; with a key, also shows everything
 * that was done to it.
 */
import { all, judge, readHistory } from './history.mjs';

const [folder, key] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node test/storm/check-history.mjs <folder> [key]');
  process.exit(2);
}
const history = readHistory(folder);
const operations = key === undefined ? undefined : history.keys.get(key);
if (operations !== undefined) console.log(all(operations));
const { violations, lost } = judge(
  operations === undefined ? history : { ...history, keys: new Map([[key, operations]]) },
);
for (const line of [...history.faults, ...violations, ...lost]) console.log(line);
console.log(
  `${history.keys.size} keys, ${history.operations} operations (${history.unknown} of unknown outcome, ` +
    `${history.refused} certainly not executed): ${violations.length} violations, ${lost.length} lost writes, ` +
    `${history.faults.length} faults`,
);
process.exitCode = violations.length + lost.length + history.faults.length > 0 ? 1 : 0;
