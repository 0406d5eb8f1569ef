/** Latencies of several calls, in turn, while something goes on. */
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

/** Calls of each kind between two looks at whether it is over. */
const CALLS = 200;

/**
 * Latencies in nanoseconds of each call, in turn, until it is over.
 * @param {Record<string, (key: string) => unknown>} calls
 * @param {() => number} number
 * @param {() => boolean} isOver
 */
export async function latencies(calls, number, isOver) {
  const histograms = Object.fromEntries(Object.keys(calls).map((what) => [what, createHistogram({ figures: 3 })]));
  do {
    for (let i = 0; i < CALLS; i++) {
      for (const [what, call] of Object.entries(calls)) {
        const key = `live:${number()}`;
        const startedAt = performance.now();
        call(key);
        histograms[what].record(Math.max(1, Math.round((performance.now() - startedAt) * 1e6)));
      }
    }
    await delay(0);
  } while (!isOver());
  return histograms;
}
