/** Every decoder of shared bytes. */
import { answers, batches, requests, values } from './exchange-targets.mjs';
import { audit, header, reader } from './store-targets.mjs';

/**
 * @typedef {object} Target
 * @property {string} name
 * @property {readonly string[]} files below dist/: whose blocks are to be reached
 * @property {(bytes: Buffer) => void} run the same for the same bytes. Throws when something is not as it must be
 */

/** By name, made when they are wanted. @type {Readonly<Record<string, (folder: string) => Target>>} */
export const TARGETS = { requests, batches, values, answers, reader, audit, header };
