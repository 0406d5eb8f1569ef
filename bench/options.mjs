/** The benchmark's command line. */
import { parseArgs } from 'node:util';

const usage = `Usage: npm run bench -- [options]

  --quick          tiny sizes, to see that everything works; the figures mean little
  --only <what>    sections by name (comma-separated) or by regular expression: values-64b,limits
  --peers <what>   peers likewise; shm-kvs is always among them. Packages of peers that are not there are installed by npm,
                   into node_modules/.cache; a peer that cannot be had is skipped
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

class UsageError extends Error {}

/**
 * Ends the process when there is nothing to run: with 2 for what is wrong.
 * @param {string[]} args
 * @param {{ sections: string[], peers: string[] }} ids that may be chosen
 * @returns {Options}
 */
export function readOptions(args, ids) {
  try {
    return parse(args, ids);
  } catch (error) {
    const isUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
    if (!isUsage) throw error;
    console.error(`bench: ${error.message}\n\n${usage}`);
    return process.exit(2);
  }
}

/** @param {string[]} args @param {{ sections: string[], peers: string[] }} ids @returns {Options} */
function parse(args, { sections, peers }) {
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
    isSection: matcher('--only', values.only, sections),
    isPeer: matcher('--peers', values.peers, peers),
    json: values.json,
    out: values.out,
  };
}

/**
 * @param {string} flag
 * @param {string | undefined} what
 * @param {string[]} ids
 * @returns {(id: string) => boolean}
 */
function matcher(flag, what, ids) {
  if (what === undefined) return () => true;
  const names = what.split(',');
  if (names.every((name) => ids.includes(name))) return (id) => names.includes(id);
  const pattern = patternOf(flag, what);
  if (!ids.some((id) => pattern.test(id))) {
    throw new UsageError(`${flag}: expected names, with commas between, or a pattern that one of them matches, got ${JSON.stringify(what)}: ${ids.join('; ')}`); // prettier-ignore
  }
  return (id) => pattern.test(id);
}

/** @param {string} flag @param {string} what */
function patternOf(flag, what) {
  try {
    return new RegExp(what);
  } catch (error) {
    throw new UsageError(`${flag}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
