/** Seen to fail when: every thread counts as ended, or none. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

import { expect, test } from 'vitest';

import { ownThreadId, threadHasEnded } from '#dist/server/thread-ids.js';

const PROGRAM = `
  import { parentPort } from 'node:worker_threads';
  import { ownThreadId } from ${JSON.stringify(new URL('../../dist/server/thread-ids.js', import.meta.url).href)};
  parentPort.postMessage(ownThreadId());
  parentPort.on('message', () => process.exit());
`;

test('a thread has ended once it has, and not before; of one that is not known nothing is said', async () => {
  const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(PROGRAM)}`));
  const [id] = (await once(thread, 'message')) as [number];
  expect(id).toBeGreaterThan(0);
  expect(id).not.toBe(ownThreadId());
  expect([id, ownThreadId(), 0].map(threadHasEnded)).toEqual([false, false, false]);
  thread.postMessage('end');
  await once(thread, 'exit');
  expect([id, ownThreadId(), 0].map(threadHasEnded)).toEqual([true, false, false]);
});
