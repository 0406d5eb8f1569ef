import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { expect, onTestFinished, test } from 'vitest';

import { native } from '#dist/native.js';

import { fixturePath, run, runFixture, temporaryDirectory } from '../fixtures/processes.js';

const MIB = 2 ** 20;
const KIB_PER_PAGE = 2048;

function linkedSegment(bytes: number) {
  const directory = temporaryDirectory();
  const path = join(directory, 'segment');
  const { fd, buffer } = native.createSegment(directory, bytes, 0o600);
  native.linkSegment(fd, path);
  return { path, words: new Int32Array(buffer) };
}

const look = async (path: string, bytes: number): Promise<{ sum: number; largeKib: number }> => {
  const { stdout } = await runFixture('native/pages', ['look', path, String(bytes)]);
  return JSON.parse(stdout) as { sum: number; largeKib: number };
};

test('gathering changes nothing that is in the memory, and who maps it then has large pages', async () => {
  const bytes = 7 * MIB + 4096;
  const { path, words } = linkedSegment(bytes);
  for (let word = 0; word < words.length; word++) words[word] = word;
  const pages = await native.gatherPages(words).done;
  // None where the kernel cannot.
  expect([0, 3]).toContain(pages);
  expect(words.every((value, word) => value === word)).toBe(true);
  const expected = Array.from({ length: Math.ceil(words.length / 1024) }, (_, i) => i * 1024);
  expect(await look(path, bytes)).toEqual({
    sum: expected.reduce((sum, word) => sum + word, 0),
    largeKib: pages * KIB_PER_PAGE,
  });
});

test('memory that is written to meanwhile loses no write', async () => {
  const { words } = linkedSegment(16 * MIB);
  const source = `
    const { parentPort, workerData: words } = require('node:worker_threads');
    let rounds = 0;
    do {
      for (let word = 1; word < words.length; word += 1024) words[word]++;
      rounds++;
      if (rounds === 1) parentPort.postMessage('writing');
    } while (Atomics.load(words, 0) === 0);
    parentPort.postMessage(rounds);`;
  const worker = new Worker(source, { eval: true, workerData: words });
  onTestFinished(() => void worker.terminate());
  const next = async (): Promise<unknown> => ((await once(worker, 'message')) as unknown[])[0];
  expect(await next()).toBe('writing');
  const rounds = next();
  await native.gatherPages(words).done;
  Atomics.store(words, 0, 1);
  const count = await rounds;
  for (let word = 1; word < words.length; word += 1024) expect(words[word]).toBe(count);
});

test('gathering can be stopped, more than once, and nothing is left of it', async () => {
  const { words } = linkedSegment(32 * MIB);
  const gathering = native.gatherPages(words);
  gathering.stop();
  gathering.stop();
  expect(await gathering.done).toBeLessThanOrEqual(16);
  gathering.stop();
});

test('what is smaller than a large page stays as it is', async () => {
  const { words } = linkedSegment(MIB);
  expect(await native.gatherPages(words).done).toBe(0);
});

test('a process and a thread can end in the middle of it', async () => {
  const bytes = 64 * MIB;
  const { path } = linkedSegment(bytes);
  const exited = await run(process.execPath, [fixturePath('native/pages'), 'exit', path, String(bytes)]);
  expect({ code: exited.code, stderr: exited.stderr }).toEqual({ code: 7, stderr: '' });
  const { stdout } = await runFixture('native/pages', ['thread', path, String(bytes)]);
  expect(JSON.parse(stdout)).toEqual({ code: 3 });
});

test('anything but words is refused', () => {
  for (const wrong of [undefined, {}, new Uint8Array(8), new SharedArrayBuffer(8)]) {
    expect(() => native.gatherPages(wrong as Int32Array)).toThrow(/^words: expected an Int32Array, got /);
  }
});
