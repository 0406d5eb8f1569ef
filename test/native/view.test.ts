import { closeSync } from 'node:fs';
import { markAsUntransferable } from 'node:worker_threads';

import { expect, test } from 'vitest';

import { native } from '#dist/native.js';

import { runFixture, temporaryDirectory } from '../fixtures/processes.js';

const BYTES = 1 << 20;

function segment() {
  const { fd, buffer } = native.createSegment(temporaryDirectory(), BYTES, 0o600);
  const views = native.mapViews(fd, BYTES, 4);
  closeSync(fd);
  return { bytes: new Uint8Array(buffer), views };
}

test('a view is the segment itself, and ends where its part does', () => {
  const { bytes, views } = segment();
  const view = new Uint8Array(native.openView(views, 0, 5000, 10));
  bytes[5000] = 1;
  bytes[5009] = 2;
  expect(view).toHaveLength(10);
  expect([view[0], view[9]]).toEqual([1, 2]);
  expect(native.openView(views, 1, BYTES, 0).byteLength).toBe(0);
});

test('closing takes the bytes from everyone who has them; the same index can be opened again', () => {
  const { bytes, views } = segment();
  const first = new Uint8Array(native.openView(views, 2, 0, 100));
  const second = new Uint8Array(native.openView(views, 3, 0, 100));
  expect(native.closeView(views, 2)).toBe(true);
  expect(native.closeView(views, 2)).toBe(true);
  expect([first.length, second.length]).toEqual([0, 100]);
  bytes[0] = 7;
  expect(new Uint8Array(native.openView(views, 3, 0, 50))[0]).toBe(7);
  expect(second.length).toBe(0);
});

test('what is written to a view is seen by nobody else, and taken back when the next one is opened', () => {
  const { bytes, views } = segment();
  bytes.fill(1);
  const view = new Uint8Array(native.openView(views, 0, 3000, 20_000));
  view.fill(9);
  expect(view.every((byte) => byte === 9)).toBe(true);
  expect(bytes.every((byte) => byte === 1)).toBe(true);
  bytes[3001] = 2;
  const next = new Uint8Array(native.openView(views, 1, 3000, 10));
  expect([...next.subarray(0, 3)]).toEqual([1, 2, 1]);
  expect(view[5000]).toBe(1);
  view[5000] = 3;
  expect([view[5000], bytes[8000]]).toEqual([3, 1]);
});

test('closing says when somebody else has the bytes now', () => {
  const { bytes, views } = segment();
  const buffer = native.openView(views, 0, 0, 100);
  const away = new Uint8Array(structuredClone(buffer, { transfer: [buffer] }));
  expect(native.closeView(views, 0)).toBe(false);
  bytes[5] = 7;
  expect(away[5]).toBe(7);
});

test('any buffer can be detached, and any view closed, though it was marked as untransferable', () => {
  const array = new Uint8Array(10);
  native.detachBuffer(array.buffer);
  expect(array.length).toBe(0);
  const marked = new ArrayBuffer(10);
  markAsUntransferable(marked);
  native.detachBuffer(marked);
  expect(marked.byteLength).toBe(0);
  const { views } = segment();
  const view = native.openView(views, 0, 0, 100);
  markAsUntransferable(view);
  expect(native.closeView(views, 0)).toBe(true);
  expect(view.byteLength).toBe(0);
});

test.each([
  [[{}, 0, 0, 1], 'views: expected what mapViews returned, got Object'],
  [[undefined, 0, 0, 1], 'views: expected what mapViews returned, got undefined'],
])('no views, no view (%#)', (args, message) => {
  expect(() => native.openView(...(args as [object, number, number, number]))).toThrow(new TypeError(message));
});

test.each([
  [[4, 0, 1], 'index: expected an integer from 0 to 3, got 4'],
  [[0, BYTES + 1, 0], `offset: expected an integer from 0 to ${BYTES}, got ${BYTES + 1}`],
  [[0, BYTES - 5, 6], 'bytes: expected an integer from 0 to 5, got 6'],
  [[0, -1, 6], `offset: expected an integer from 0 to ${BYTES}, got -1`],
])('nothing outside of the mapping can be viewed (%#)', (args, message) => {
  const { views } = segment();
  expect(() => native.openView(views, ...(args as [number, number, number]))).toThrow(new RangeError(message));
});

test.each([
  ['write to the read-only mapping', 'SIGSEGV'],
  ['raise SIGSEGV', 'SIGSEGV'],
  ['write in threads', null],
])('%s: other faults end the process as ever', async (what, signal) => {
  const ended = await runFixture('native/faults', [what, temporaryDirectory()]);
  expect(ended).toMatchObject({
    signal,
    stdout: signal === null ? '"each saw what was written, or what was there"\n' : '',
    stderr: '',
  });
});

test('the mapping goes with the last of its views', async () => {
  const { stdout, stderr } = await runFixture('native/faults', ['drop', temporaryDirectory()]);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({ whileOpen: 1, byte: 5, afterwards: 0 });
});
