/**
 * What of some scripts has been executed, by V8's own precise coverage of blocks: the feedback of the fuzzer.
 * Characters of the source count, not V8's ranges: those leave out what was executed as often as what surrounds it.
 */
import { Session } from 'node:inspector';

/** @import { Profiler } from 'node:inspector' */

/**
 * @typedef {object} Script
 * @property {Uint8Array} covered by character
 * @property {Uint8Array} cuts where a block begins, as far as is known
 */

export class Coverage {
  #session = new Session();
  /** @type {(url: string) => boolean} */
  #isOurs;
  /** @type {Map<string, Script>} */
  #scripts = new Map();

  /** @param {(url: string) => boolean} isOurs the scripts that count */
  constructor(isOurs) {
    this.#isOurs = isOurs;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Notes what was executed since it was last asked. @returns whether any of it is new */
  take() {
    return this.#look(true);
  }

  /** The same without noting it. */
  isAnyNew() {
    return this.#look(false);
  }

  /** @param {boolean} isNoted */
  #look(isNoted) {
    let isNew = false;
    for (const { url, functions } of this.#ask()) {
      const script = this.#script(url, functions);
      const executed = new Uint8Array(script.covered.length);
      // Outer ranges come before those within them.
      for (const { startOffset, endOffset, count } of functions.flatMap(({ ranges }) => ranges)) {
        executed.fill(count > 0 ? 1 : 0, startOffset, endOffset);
        script.cuts[startOffset] = 1;
        script.cuts[endOffset] = 1;
      }
      for (let at = 0; at < executed.length; at++) {
        if (executed[at] === 0 || script.covered[at] !== 0) continue;
        if (isNoted) script.covered[at] = 1;
        isNew = true;
      }
    }
    return isNew;
  }

  /** Forgets what was executed since it was last asked. */
  skip() {
    this.#ask();
  }

  /** Starts afresh with nothing executed. */
  reset() {
    this.skip();
    for (const script of this.#scripts.values()) script.covered.fill(0);
  }

  /** @returns {Profiler.ScriptCoverage[]} */
  #ask() {
    /** @type {Profiler.ScriptCoverage[]} */
    let found = [];
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error !== null) throw error;
      found = result.filter(({ url }) => this.#isOurs(url));
    });
    return found;
  }

  /** @param {string} url @param {Profiler.FunctionCoverage[]} functions @returns {Script} */
  #script(url, functions) {
    const length = functions.reduce((end, { ranges }) => Math.max(end, ranges[0].endOffset), 0);
    let script = this.#scripts.get(url);
    if (script === undefined || script.covered.length < length) {
      const larger = { covered: new Uint8Array(length), cuts: new Uint8Array(length + 1) };
      if (script !== undefined) larger.covered.set(script.covered);
      if (script !== undefined) larger.cuts.set(script.cuts);
      script = larger;
      this.#scripts.set(url, script);
    }
    return script;
  }

  /** Blocks known, and of these executed. */
  blocks() {
    let [known, reached] = [0, 0];
    for (const { covered, cuts } of this.#scripts.values()) {
      for (let at = 0; at < covered.length; at++) {
        if (at !== 0 && cuts[at] === 0) continue;
        known++;
        reached += covered[at];
      }
    }
    return { known, reached };
  }
}
