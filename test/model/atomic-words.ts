/**
 * Loads memory/words.js as for a processor on which every load and store goes through `Atomics`: only there are they
 * seen, and scheduled, one by one. To be imported before anything that uses it.
 */
const arch = Object.getOwnPropertyDescriptor(process, 'arch')!;
Object.defineProperty(process, 'arch', { ...arch, value: 'arm64' });
await import('#dist/memory/words.js');
Object.defineProperty(process, 'arch', arch);
