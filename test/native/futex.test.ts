import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { native } from '#dist/native.js';

import { Peer, runFixture, temporaryDirectory, until } from '../fixtures/processes.js';

const WOKEN = 0;
const DIFFERED = 1;
const TIMED_OUT = 2;

function sharedWords() {
  const directory = temporaryDirectory();
  const { fd, buffer } = native.createSegment(directory, 4096, 0o600);
  native.linkSegment(fd, join(directory, 'words'));
  return { path: join(directory, 'words'), words: new Int32Array(buffer) };
}

describe('futexWait', () => {
  test('a word that differs returns at once, however long the timeout', () => {
    const { words } = sharedWords();
    words[3] = 8;
    expect(native.futexWait(words, 3, 7, Infinity)).toBe(DIFFERED);
  });

  test('a word that stays equal times out, not before its time', () => {
    const { words } = sharedWords();
    words[3] = 7;
    const start = process.hrtime.bigint();
    expect(native.futexWait(words, 3, 7, 12.5)).toBe(TIMED_OUT);
    expect(Number(process.hrtime.bigint() - start)).toBeGreaterThanOrEqual(12_500_000);
  });

  test.each([0, 0.001, -1, NaN, -Infinity])('a timeout of %d ms times out', (timeoutMs) => {
    expect(native.futexWait(sharedWords().words, 0, 0, timeoutMs)).toBe(TIMED_OUT);
  });

  test('an expected value may be the unsigned reading of the word', () => {
    const { words } = sharedWords();
    words[0] = -1;
    expect(native.futexWait(words, 0, 0xffffffff, 0)).toBe(TIMED_OUT);
    expect(native.futexWait(words, 0, -1, 0)).toBe(TIMED_OUT);
  });

  test('the index counts from the start of the view, not of the buffer', () => {
    const { words } = sharedWords();
    words[10] = 5;
    expect(native.futexWait(words.subarray(8, 12), 2, 5, 0)).toBe(TIMED_OUT);
    expect(native.futexWait(words.subarray(8, 12), 2, 0, 0)).toBe(DIFFERED);
  });

  test.each(['r', 'r+'] as const)('a sleeper in another process (opened %s) is woken', async (flags) => {
    const { path, words } = sharedWords();
    const peer = await Peer.open(path, flags);
    const waiting = peer.tell('wait', 17, 0, 100_000);
    await until(() => native.futexWake(words, 17, 1) === 1);
    expect(await waiting).toBe(WOKEN);
  });

  test('a sleeper in this process is woken by another', async () => {
    const { path, words } = sharedWords();
    const peer = await Peer.open(path);
    peer.process.send(['store', 17, 1]);
    const results = new Set<number>();
    while (Atomics.load(words, 17) === 0) results.add(native.futexWait(words, 17, 0, 5));
    expect([...results].every((result) => result === TIMED_OUT || result === DIFFERED)).toBe(true);
    expect(native.futexWait(words, 17, 0, 100_000)).toBe(DIFFERED);
  });

  test('worker.terminate() ends threads that wait in slices', async () => {
    const { stdout, stderr } = await runFixture('native/workers', ['terminate', temporaryDirectory()]);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ codes: [1, 1], stopped: true });
  });

  test('process.exit() ends a process whose threads wait in slices', async () => {
    const ended = await runFixture('native/workers', ['exit', temporaryDirectory()]);
    expect(ended).toEqual({ code: 7, signal: null, stdout: '', stderr: '' });
  });
});

describe('futexWake', () => {
  test('nobody asleep means nobody woken', () => {
    expect(native.futexWake(sharedWords().words, 0, 1)).toBe(0);
  });

  test('it wakes no more sleepers than asked, and none for 0', async () => {
    const { path, words } = sharedWords();
    const peers = await Promise.all([Peer.open(path), Peer.open(path), Peer.open(path)]);
    const waiting = peers.map((peer) => peer.tell('wait', 2, 0, 100_000));
    let woken = 0;
    await until(() => {
      expect(native.futexWake(words, 2, 0)).toBe(0);
      const count = native.futexWake(words, 2, 1);
      expect(count).toBeLessThanOrEqual(1);
      woken += count;
      return woken === 3;
    });
    expect(await Promise.all(waiting)).toEqual([WOKEN, WOKEN, WOKEN]);
    expect(native.futexWake(words, 2, 2 ** 31 - 1)).toBe(0);
  });
});
