/**
 * Which clients a server knows of: who is not known is not looked after when it dies.
 * Seen to fail when: records are read again only after twenty rounds (ten seconds of an idle server); or only when the
 * count of clients has changed; the count is not set right.
 */
import { performance } from 'node:perf_hooks';

import { afterEach, expect, test, vi } from 'vitest';

import { claimLease, releaseLease } from '#dist/memory/client-lease.js';
import { CtlHeader } from '#dist/memory/layout.js';
import { ClientList } from '#dist/server/client-list.js';

import { attachTestRegion, createTestRegion } from '../fixtures/region.js';

afterEach(() => vi.restoreAllMocks());

/** A region whose clients come and go. */
function scene() {
  let nowMs = 5000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const region = createTestRegion();
  const { words } = region.ctl;
  return {
    list: new ClientList(region),
    words,
    pass: (ms: number) => void (nowMs += ms),
    attach: () => {
      const client = attachTestRegion(region.name);
      const index = claimLease(client);
      words[CtlHeader.clients]++;
      return {
        index,
        leave() {
          releaseLease(client, index);
          words[CtlHeader.clients]--;
        },
      };
    },
  };
}

test('a client that comes or goes is known in the next round', () => {
  const { list, attach } = scene();
  expect(list.refresh()).toEqual([]);
  const [first, second] = [attach(), attach()];
  expect(list.refresh()).toEqual([first.index, second.index]);
  first.leave();
  expect(list.refresh()).toEqual([second.index]);
});

test('one that came as another left, so that there are as many as before, is known within a second', () => {
  const { list, attach, pass } = scene();
  const [first, , third] = [attach(), attach(), attach()];
  first.leave();
  expect(list.refresh()).toEqual([1, 2]);
  third.leave();
  expect(attach().index).toBe(0);
  // As long as an idle server sleeps between two rounds.
  const known = [1, 2].map(() => {
    pass(500);
    return [...list.refresh()];
  });
  expect(known.at(-1)).toEqual([0, 1]);
});

test('one that died before it was counted is known within a second, and counted', () => {
  const { list, words, attach, pass } = scene();
  attach();
  words[CtlHeader.clients]--;
  expect(list.refresh()).toEqual([0]);
  expect(words[CtlHeader.clients]).toBe(1);
  attach();
  words[CtlHeader.clients]--;
  pass(1000);
  expect(list.refresh()).toEqual([0, 1]);
  expect(words[CtlHeader.clients]).toBe(2);
});
