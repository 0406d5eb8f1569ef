import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** Nanoseconds with two significant digits; safe to share between threads. */
export const createLatencyHistogram = (): RecordableHistogram => createHistogram({ figures: 2 });
