/** The benchmark's command line. */
import { parseArgs } from 'node:util';

const usage = `Usage: npm run bench -- [options]

  --quick          tiny sizes, to see that everything works; the figures mean little
  --only <what>    sections by name (comma-separated) or by regular expression
  --peers <what>   peers likewise; shm-kvs is always among them
  --json <file>    also write the raw results there
  --out <folder>   where RESULTS.md, results.json and results.svg go; default: bench/ after a full run, else nowhere
  --list           the names of the sections and peers
  --help           this text`;

/**
 * @typedef {object} Options
 * @property {boolean} isQuick
 * @property {boolean} isFull
 * @property {boolean} isList
 * @property {(id: string) => boolean} isSection
 * @property {(id: string) => boolean} isPeer
 * @property {string | undefined} json
 * @property {string | undefined} out
 */

/** @param {string[]} args @returns {Options} */
export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      peers: { type: 'string' },
      json: { type: 'string' },
      out: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  return {
    isQuick: values.quick,
    isFull: !values.quick && values.only === undefined && values.peers === undefined,
    isList: values.list,
    isSection: matcher(values.only),
    isPeer: matcher(values.peers),
    json: values.json,
    out: values.out,
  };
}

/** @param {string | undefined} what @returns {(id: string) => boolean} */
function matcher(what) {
  if (what === undefined) return () => true;
  const names = what.split(',');
  const pattern = new RegExp(what);
  return (id) => names.includes(id) || (names.length === 1 && pattern.test(id));
}
