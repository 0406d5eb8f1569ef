import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { CHUNK_BYTES, type Geometry } from '#dist/memory/layout.js';
import { load, store } from '#dist/memory/words.js';

import { privateCtl } from '../fixtures/region.js';

/** An arena of a few chunks. */
function arenaOf(chunks: number, seed = 0) {
  const { ctl, geometry } = privateCtl();
  const small: Geometry = { ...geometry, arenaChunks: chunks };
  const owners = ctl.words.subarray(geometry.chunkOwnersOffset / 4, geometry.chunkOwnersOffset / 4 + chunks);
  return { arena: new PayloadArena(ctl, small, seed), owners, ctl, geometry: small };
}

test('sizes are rounded up to whole chunks', () => {
  expect([0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 65_536].map((bytes) => PayloadArena.chunksFor(bytes))).toEqual([
    0, 1, 1, 2, 16,
  ]);
});

test('chunks lie behind each other in the arena', () => {
  const { arena, geometry } = arenaOf(8);
  expect(arena.offsetOf(0)).toBe(geometry.arenaOffset);
  expect(arena.offsetOf(7) - arena.offsetOf(6)).toBe(CHUNK_BYTES);
  expect(arena.chunkCount).toBe(8);
});

describe('claim', () => {
  test('an extent as large as the arena is found wherever the search begins, and none beside it', () => {
    for (const seed of [0, 1, 7, -5, 123_456_789]) {
      const { arena } = arenaOf(10, seed);
      expect(arena.claim(1, 11)).toBe(-1);
      expect(arena.claim(1, 10)).toBe(0);
      expect(arena.claim(2, 1)).toBe(-1);
      arena.release(1, 0, 10);
      expect(arena.used()).toBe(0);
    }
  });

  test('a claim that finds no room leaves nothing behind', () => {
    const { arena, owners } = arenaOf(8);
    for (const chunk of [1, 3, 5, 7]) store(owners, chunk, 0x40000000 | 9);
    expect(arena.claim(1, 2)).toBe(-1);
    expect([...owners].map((word) => word & 0xff)).toEqual([0, 9, 0, 9, 0, 9, 0, 9]);
    expect(arena.claim(1, 1)).toBeGreaterThanOrEqual(0);
  });

  test('whatever is claimed and released, in whatever order, extents never overlap and room is always found', () => {
    const command = fc.record({
      use: fc.integer({ min: 0, max: 2 ** 30 - 1 }),
      chunks: fc.integer({ min: 1, max: 6 }),
      isClaim: fc.boolean(),
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 120 }),
        fc.integer({ min: 1, max: 24 }),
        fc.integer(),
        (commands, size, seed) => {
          const { arena } = arenaOf(size, seed);
          const model: number[] = Array.from({ length: size }, () => -1);
          const held: { use: number; first: number; chunks: number }[] = [];
          for (const { use, chunks, isClaim, pick } of commands) {
            if (isClaim) {
              const first = arena.claim(use, chunks);
              const hasRoom = model.some(
                (_, at) => at + chunks <= size && model.slice(at, at + chunks).every((o) => o < 0),
              );
              expect(first >= 0).toBe(hasRoom);
              if (first < 0) continue;
              expect(model.slice(first, first + chunks)).toEqual(Array.from({ length: chunks }, () => -1));
              model.fill(use, first, first + chunks);
              held.push({ use, first, chunks });
              expect(arena.isOwned(use, first, chunks)).toBe(true);
            } else if (held.length > 0) {
              const [extent] = held.splice(pick % held.length, 1);
              arena.release(extent.use, extent.first, extent.chunks);
              model.fill(-1, extent.first, extent.first + extent.chunks);
            }
            expect(arena.used()).toBe(model.filter((owner) => owner >= 0).length);
          }
        },
      ),
    );
  });
});

describe('garbage references', () => {
  const garbage = fc.oneof(fc.integer(), fc.integer({ min: -3, max: 20 }), fc.constantFrom(NaN, Infinity, -Infinity));

  test('they free nothing of others', () => {
    fc.assert(
      fc.property(garbage, garbage, fc.integer({ min: 0, max: 2 ** 30 - 1 }), (first, chunks, use) => {
        const { arena } = arenaOf(16);
        const other = (use + 1) & (2 ** 30 - 1);
        expect(arena.claim(other, 16)).toBe(0);
        arena.release(use, first, chunks);
        expect(arena.isOwned(other, 0, 16)).toBe(true);
      }),
    );
  });

  test('an extent that is not wholly in the arena, or not wholly of the use, is not owned', () => {
    const { arena } = arenaOf(16);
    const first = arena.claim(4, 5);
    expect(first).toBe(0);
    arena.claim(5, 5);
    expect(arena.isOwned(4, 0, 5)).toBe(true);
    for (const [at, chunks] of [
      [0, 6],
      [-1, 2],
      [4, 2],
      [0, 0],
      [0, -1],
      [15, 2],
      [2 ** 31 - 1, 1],
      [0, 2 ** 31 - 1],
    ]) {
      expect(arena.isOwned(4, at, chunks), `${at}, ${chunks}`).toBe(false);
    }
    expect(arena.isOwned(5, 0, 5)).toBe(false);
  });
});

test('reclaim finds every chunk of a use, wherever it is, and no other', () => {
  const { arena } = arenaOf(32);
  const extents = [7, 8, 7, 9, 7].map((use) => ({ use, first: arena.claim(use, 3) }));
  expect(arena.reclaim(7)).toBe(9);
  expect(arena.reclaim(7)).toBe(0);
  for (const { use, first } of extents) expect(arena.isOwned(use, first, 3)).toBe(use !== 7);
});

test('releaseWhere frees the chunks of the uses that are over', () => {
  const { arena } = arenaOf(32);
  const live = arena.claim((5 << 12) | 3, 2);
  arena.claim((4 << 12) | 3, 4);
  arena.claim((1 << 12) | 1, 1);
  const seen: [number, number][] = [];
  const freed = arena.releaseWhere((use, slot) => {
    seen.push([use, slot]);
    return use !== ((5 << 12) | 3);
  });
  expect(freed).toBe(5);
  expect(arena.isOwned((5 << 12) | 3, live, 2)).toBe(true);
  expect(arena.used()).toBe(2);
  expect(new Set(seen.map(([, slot]) => slot))).toEqual(new Set([3, 1]));
});

test('releaseWhere leaves a chunk that was claimed anew while it looked', () => {
  const { arena, owners } = arenaOf(4);
  arena.claim(1, 1);
  const freed = arena.releaseWhere(() => {
    store(owners, 0, 0x40000000 | 2);
    return true;
  });
  expect(freed).toBe(0);
  expect(load(owners, 0)).toBe(0x40000000 | 2);
});
