/** What the samples of a profile are summed up by. */

const BUILTINS = /** @type {const} */ ([
  [/Atomics/, 'V8: atomic operations'],
  [/IC|GetProperty|HasOwnProperty/, 'V8: properties looked up at run time'],
  [/Promise|Microtask|Async|Await|Generator/, 'V8: promises'],
  [/Map|Set|OrderedHash/, 'V8: Map and Set'],
  [/String|Substring/, 'V8: strings'],
]);

/** @param {string} symbol name and file of a sampled instruction, as perf prints them */
export function categoryOf(symbol) {
  const own = /JS:.*\/dist\/([\w-]+\/[\w-]+|[\w-]+)\.js/.exec(symbol);
  if (own !== null) return own[1];
  if (symbol.includes('bench/profile')) return 'the load itself';
  if (symbol.startsWith('JS:')) return 'JavaScript of Node';
  const builtin = /^Builtins_(\w+)/.exec(symbol)?.[1];
  if (builtin !== undefined) return BUILTINS.find(([pattern]) => pattern.test(builtin))?.[1] ?? 'V8: other builtins';
  if (/clock_gettime|gettimeofday|performance::/.test(symbol)) return 'clock';
  if (/\[kernel|\[k\]/.test(symbol)) return 'kernel: sleeping, waking, system calls';
  if (/Heap|Scaveng|Mark|Sweep|Evacuat|GC/.test(symbol)) return 'V8: garbage collection';
  return 'Node, V8, libc';
}
