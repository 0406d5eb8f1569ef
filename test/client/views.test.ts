/**
 * getView(): bytes in shared memory that hold still until they are released, and can be reached no longer afterwards.
 * Seen to fail when: nothing is pinned; release() leaves the buffer attached; close() leaves views open; a copy keeps its
 * buffer; views have the store's own mapping (the write ends the process); a write is not taken back; the pin of a
 * released view does not come back; the client asks the server.
 */
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';

import { expect, onTestFinished, test } from 'vitest';

import type { View } from '#dist/index.js';
import { MIN_PINNED_BYTES, PINS_PER_CLIENT } from '#dist/memory/heap-layout.js';

import { runFixture } from '../fixtures/processes.js';
import { failureOf, openClient, shareServer } from '../fixtures/service.js';

const name = shareServer({ workers: 2, maxMemory: 64 * 2 ** 20 });
const LARGE = 256 * 1024;
const connect = (options: object = {}) => openClient({ name, codec: 'buffer', ...options });
const fill = (what: string, bytes = LARGE) => Buffer.alloc(bytes, what);

function found(view: View | undefined): View {
  if (view === undefined) throw new Error('the key is missing');
  return view;
}

test.each([0, 1, 1000, MIN_PINNED_BYTES - 1, MIN_PINNED_BYTES, LARGE, 2 ** 20])(
  'a view of %i bytes shows the value with its version, awaited and blocking',
  async (bytes) => {
    const client = await connect();
    await client.set('k', fill('abc', bytes));
    for (const view of [found(await client.getView('k')), found(client.getViewSync('k'))]) {
      expect(view.bytes.equals(fill('abc', bytes))).toBe(true);
      expect(view).toMatchObject({ length: bytes, isReleased: false, isCopy: bytes < MIN_PINNED_BYTES });
      expect(view.version).toBe((await client.getEntry('k'))?.version);
      expect(view.bytes.buffer).toBeInstanceOf(ArrayBuffer);
      expect([view.bytes.byteOffset, view.bytes.buffer.byteLength]).toEqual([0, bytes]);
      view.release();
    }
  },
);

test('a missing key has no view', async () => {
  const client = await connect();
  expect(await client.getView('none')).toBeUndefined();
  expect(client.getViewSync('none')).toBeUndefined();
  await expect(client.getView('')).rejects.toThrow(TypeError);
});

test('bytes are those of the value whatever the codec, custom ones too', async () => {
  const text = await openClient({ name });
  await text.set('t', 'ü'.repeat(10_000));
  using view = found(await text.getView('t'));
  expect(view.bytes.toString()).toBe('ü'.repeat(10_000));
  const never = { encode: () => fill('never'), decode: (): never => expect.unreachable('views decode nothing') };
  const custom = await connect({ codec: never });
  await custom.set('c', undefined as never);
  using other = found(custom.getViewSync('c'));
  expect(other.bytes.equals(fill('never'))).toBe(true);
});

test('a view keeps its bytes when the key is replaced, deleted and everything flushed', async () => {
  const client = await connect();
  const views: View[] = [];
  for (let i = 0; i < 20; i++) {
    await client.set('k', fill(`write ${i} `));
    views.push(found(await client.getView('k')));
    if (i % 5 === 4) await client.del('k');
  }
  await client.flush();
  // As much as the store holds, several times over.
  for (let i = 0; i < 800; i++) await client.set(`other ${i % 150}`, fill(`other ${i}`));
  for (const [i, view] of views.entries()) {
    expect(view.isCopy).toBe(false);
    expect(view.bytes.equals(fill(`write ${i} `))).toBe(true);
    view.release();
  }
});

test('after release nobody finds anything: not by the view, not by arrays over its bytes', async () => {
  const client = await connect();
  for (const bytes of [100, LARGE]) {
    await client.set('k', fill('x', bytes));
    const view = found(await client.getView('k'));
    const kept = view.bytes;
    const part = kept.subarray(10, 20);
    view.release();
    view.release();
    expect(view.isReleased).toBe(true);
    expect([kept.length, part.length, kept[0], part.buffer.byteLength]).toEqual([0, 0, undefined, 0]);
    expect((await failureOf(() => view.bytes)).code).toBe('ERR_KVS_CLOSED');
    expect(view.length).toBe(bytes);
  }
});

test('`using` releases at the end of its block', async () => {
  const client = await connect();
  await client.set('k', fill('x'));
  let kept: View;
  {
    using view = found(await client.getView('k'));
    kept = view;
    expect(kept.isReleased).toBe(false);
  }
  expect(kept.isReleased).toBe(true);
});

test('close() releases all views of the client, and no other’s', async () => {
  const [client, other] = [await connect(), await connect()];
  await client.set('k', fill('x'));
  const views = [found(await client.getView('k')), found(client.getViewSync('k'))];
  using others = found(await other.getView('k'));
  const arrays = views.map((view) => view.bytes);
  await client.close();
  expect(views.map((view) => view.isReleased)).toEqual([true, true]);
  expect(arrays.map((array) => array.length)).toEqual([0, 0]);
  expect(others.bytes.equals(fill('x'))).toBe(true);
  for (const view of views) view.release();
  expect((await failureOf(client.getView('k'))).code).toBe('ERR_KVS_CLOSED');
});

test('a client holds 64 values in place; more are copies, until one is released', async () => {
  const client = await connect();
  await client.set('k', fill('x'));
  const views = Array.from({ length: PINS_PER_CLIENT + 6 }, () => found(client.getViewSync('k')));
  expect(views.map((view) => view.isCopy)).toEqual(views.map((_, i) => i >= PINS_PER_CLIENT));
  expect(views.every((view) => view.bytes.equals(fill('x')))).toBe(true);
  views[3].release();
  views.push(found(await client.getView('k')), found(await client.getView('k')));
  expect(views.slice(-2).map((view) => view.isCopy)).toEqual([false, true]);
  for (const view of views) view.release();
});

test('a write to a view harms nobody: not the process, not the store, not the next view', async () => {
  const [client, other] = [await connect(), await connect()];
  await client.set('k', fill('x'));
  const view = found(await client.getView('k'));
  view.bytes.fill(0, 1000, 200_000);
  view.bytes.writeUInt32LE(7, 0);
  expect((await client.get('k'))?.equals(fill('x'))).toBe(true);
  using again = found(await client.getView('k'));
  expect(again.bytes.equals(fill('x'))).toBe(true);
  view.release();
  // The same memory again, with other values.
  for (let i = 0; i < 300; i++) {
    const [key, value] = [`k${i % 3}`, fill(`${i}`)];
    await client.set(key, value);
    using first = found(await client.getView(key));
    using second = found(await other.getView(key));
    expect(first.bytes.equals(value) && second.bytes.equals(value)).toBe(true);
    first.bytes[i * 100] ^= 0xff;
  }
});

test('the buffer of a view cannot be transferred away, and what a message has of it is a copy', async () => {
  const [client, other] = [await connect(), await connect()];
  await client.set('k', fill('first'));
  const view = found(await client.getView('k'));
  const buffer = view.bytes.buffer as ArrayBuffer & { transfer?: () => ArrayBuffer };
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  const message = (): ArrayBuffer => {
    port1.postMessage(buffer, [buffer]);
    return (receiveMessageOnPort(port2) as { message: ArrayBuffer }).message;
  };
  // Node 20 copies, later ones refuse.
  const sent = [() => structuredClone(buffer, { transfer: [buffer] }), message].map((send) => {
    try {
      return send();
    } catch (error) {
      expect((error as Error).name).toBe('DataCloneError');
      return undefined;
    }
  });
  if (buffer.transfer !== undefined) expect(() => buffer.transfer?.()).toThrow('cannot be transferred');
  expect(view.bytes.equals(fill('first'))).toBe(true);
  view.release();
  expect(buffer.byteLength).toBe(0);
  await client.close();
  await other.del('k');
  for (let i = 0; i < 600; i++) await other.set(`other ${i % 150}`, fill(`${i}`));
  for (const copy of sent) if (copy !== undefined) expect(Buffer.from(copy).equals(fill('first'))).toBe(true);
});

test('one’s own pending write comes before a view', async () => {
  const client = await connect();
  for (let i = 0; i < 50; i++) {
    const written = client.set('k', fill(`${i} `));
    using view = found(await client.getView('k'));
    expect(view.bytes.equals(fill(`${i} `))).toBe(true);
    await written;
  }
});

test('through the server, and as a task, a view is a copy', async () => {
  const client = await connect({ reads: 'server' });
  await client.set('k', fill('x'));
  using view = found(await client.getView('k'));
  using blocking = found(client.getViewSync('k'));
  using task = found(await client.submit('getView', 'k'));
  for (const each of [view, blocking, task]) {
    expect(each.isCopy).toBe(true);
    expect(each.bytes.equals(fill('x'))).toBe(true);
    expect(each.version).toBe(client.getEntrySync('k')?.version);
  }
  expect(await client.getView('none')).toBeUndefined();
});

test('views that nobody holds any more give their pins back; one that is held by a part of it does not', async () => {
  const { stdout, stderr } = await runFixture('service/dropper', [name]);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({ copiesAtFirst: 10, copiesInTheEnd: 0, held: 'xxxxxxxxxx' });
});
