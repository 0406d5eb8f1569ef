/** The demo's command line. */
import { parseArgs } from 'node:util';

const usage = `Usage: npm run demo -- [options]

  --words <n>    how many words of the list to take, from 100 (default: all)
  --name <name>  name of the server (default: $KVS_NAME, or demo-<process id>)
  --help         this text`;

/**
 * @typedef {object} DemoOptions
 * @property {string} name
 * @property {number | undefined} words undefined: all
 */

/**
 * @param {string[]} args
 * @returns {DemoOptions}
 */
export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: { words: { type: 'string' }, name: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help === true) {
    console.log(usage);
    process.exit(0);
  }
  const words = values.words === undefined ? undefined : Number(values.words);
  if (words !== undefined && !(Number.isInteger(words) && words >= 100)) {
    throw new TypeError(`--words takes a whole number from 100, got ${values.words}`);
  }
  return { name: values.name ?? process.env['KVS_NAME'] ?? `demo-${process.pid}`, words };
}
