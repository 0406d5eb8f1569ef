/** A snapshot beside a log that fails. Seen to fail when a snapshot does not look whether there has been a gap. */
import { expect, test, vi } from 'vitest';

import { openLogDirectory } from '#dist/log/directory.js';
import { resetLanes } from '#dist/store/log-feed.js';
import { LogBoard } from '#dist/server/log-board.js';
import { makeSnapshot } from '#dist/server/snapshot.js';

import { STORE_ID } from '../fixtures/log/logged-store.js';
import { MemoryDisk } from '../fixtures/log/memory-disk.js';
import { recoverState } from '../fixtures/log/model-store.js';
import { KeyStore, MIB, newSegment, smallGeometry } from '../fixtures/store/key-store.js';

test('one that a gap of the log has begun or ended beside does not count', () => {
  const geometry = smallGeometry({ logBytes: 4 * MIB });
  const data = newSegment(geometry);
  resetLanes(data, geometry, 1, 0);
  new KeyStore(data, geometry).set(Buffer.from('key'), Buffer.from('value'));
  const disk = new MemoryDisk();
  const directory = openLogDirectory(disk.path, disk);
  const board = new LogBoard(LogBoard.allocate());
  board.set(LogBoard.Figure.sequence, 7);
  board.set(LogBoard.Figure.durableSequence, 7);
  const sync = vi.spyOn(board, 'waitForSync').mockImplementation(() => {
    board.noteGap();
    return true;
  });
  const make = () => makeSnapshot({ data, geometry, directory, storeId: STORE_ID, board });
  expect(make).toThrow(
    expect.objectContaining({
      code: 'ERR_KVS_LOG_FAILED',
      message: expect.stringContaining('does not count') as string,
    }),
  );
  expect(disk.list()).toEqual(['lock']);
  expect(board.takeSnapshot()).toBe(false);
  sync.mockImplementation(() => true);
  expect(make()).toMatchObject({ sequence: 7, entries: 1 });
  expect(board.takeSnapshot()).toBe(true);
  expect([...recoverState(directory).state.keys()]).toEqual(['key']);
});
