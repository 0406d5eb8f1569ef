import { closeSync, constants, lstatSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { describe, expect, onTestFinished, test } from 'vitest';

import { native } from '#dist/native.js';

import { runFixture, temporaryPath, until } from '../fixtures/processes.js';

const { O_NONBLOCK, O_RDWR, O_WRONLY } = constants;

function fifo() {
  const path = temporaryPath();
  native.makeFifo(path, 0o600);
  return path;
}

/** A doorbell on this thread, and a descriptor to ring it by. */
function watched(onRing: () => void) {
  const path = fifo();
  const fd = openSync(path, O_RDWR | O_NONBLOCK);
  const bell = native.watchDoorbell(fd, onRing);
  const ringer = openSync(path, O_WRONLY | O_NONBLOCK);
  // It has one of its own.
  closeSync(fd);
  onTestFinished(() => {
    bell.close();
    closeSync(ringer);
  });
  return { bell, ringer };
}

async function turnLoop(turns: number) {
  for (let turn = 0; turn < turns; turn++) await nextTurn();
}

describe('makeFifo', () => {
  test.each([0o077, 0o000, 0o777])('the mode is exact under umask %o', (umask) => {
    const before = process.umask(umask);
    try {
      for (const mode of [0o600, 0o660, 0o620]) {
        const path = temporaryPath();
        native.makeFifo(path, mode);
        expect(lstatSync(path).isFIFO()).toBe(true);
        expect(lstatSync(path).mode & 0o7777).toBe(mode);
      }
    } finally {
      process.umask(before);
    }
  });

  test('an existing FIFO is kept, its mode made right', () => {
    const path = fifo();
    const { ino } = lstatSync(path);
    native.makeFifo(path, 0o660);
    expect(lstatSync(path).ino).toBe(ino);
    expect(lstatSync(path).mode & 0o7777).toBe(0o660);
  });

  test.each([
    ['a file', (path: string) => writeFileSync(path, 'kept')],
    ['a symbolic link to a FIFO', (path: string) => symlinkSync(fifo(), path)],
    ['a symbolic link to nothing', (path: string) => symlinkSync('nowhere', path)],
  ])('%s in its place throws EEXIST and stays', (_, occupy) => {
    const path = temporaryPath();
    occupy(path);
    const { ino, mode } = lstatSync(path);
    expect(() => native.makeFifo(path, 0o600)).toThrow(
      expect.objectContaining({ code: 'EEXIST', errno: 17, syscall: 'mkfifo' }),
    );
    expect(lstatSync(path)).toMatchObject({ ino, mode });
  });

  test('a missing directory throws ENOENT', () => {
    expect(() => native.makeFifo(`${temporaryPath()}/no/such`, 0o600)).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'mkfifo' }),
    );
  });
});

describe('watchDoorbell', () => {
  test('a batch of rings calls once, the next ring calls again', async () => {
    let calls = 0;
    const { ringer } = watched(() => calls++);
    for (let ring = 0; ring < 100; ring++) expect(native.ringDoorbell(ringer)).toBe(true);
    await until(() => calls > 0);
    await turnLoop(20);
    expect(calls).toBe(1);
    native.ringDoorbell(ringer);
    await until(() => calls > 1);
    await turnLoop(20);
    expect(calls).toBe(2);
  });

  test('ticks and microtasks of the callback run before the loop goes on', async () => {
    const order: string[] = [];
    const { ringer } = watched(() => {
      setImmediate(() => order.push('immediate'));
      queueMicrotask(() => order.push('microtask'));
      process.nextTick(() => order.push('tick'));
      order.push('ring');
    });
    native.ringDoorbell(ringer);
    await until(() => order.includes('immediate'));
    expect(order).toEqual(['ring', 'tick', 'microtask', 'immediate']);
  });

  test('a doorbell closed in its own callback never rings again and closes its descriptor', async () => {
    let calls = 0;
    const { bell, ringer } = watched(() => {
      calls++;
      native.ringDoorbell(ringer);
      bell.close();
    });
    native.ringDoorbell(ringer);
    await until(() => calls > 0 && !native.ringDoorbell(ringer));
    await turnLoop(20);
    expect(calls).toBe(1);
    expect(native.ringDoorbell(ringer)).toBe(false);
  });

  test('closing twice closes the descriptor once', async () => {
    const { stdout, stderr } = await runFixture('native/bell', ['sameNumber', fifo()]);
    expect({ stdout, stderr }).toEqual({ stdout: 'true\n', stderr: '' });
  });

  test('closed doorbells leave no descriptor behind', async () => {
    const { stdout, stderr } = await runFixture('native/bell', ['closedIsCollected', fifo()]);
    expect({ stdout, stderr }).toEqual({ stdout: 'closed\n', stderr: '' });
  });

  test('a ring wakes another process’s event loop, which a referenced doorbell keeps alive', async () => {
    const path = fifo();
    const ended = await runFixture('native/bell', ['referenced', path], (line) => {
      if (line === 'alive') ring(path);
    });
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'alive\nrang\n', stderr: '' });
  });

  test.each(['unreferenced', 'referencedThenNot'])('an idle doorbell (%s) lets its process end', async (scenario) => {
    const ended = await runFixture('native/bell', [scenario, fifo()]);
    expect(ended).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  });

  test('a doorbell that nothing refers to still rings', async () => {
    const path = fifo();
    const { stdout, stderr } = await runFixture('native/bell', ['collected', path], (line) => {
      if (line === 'ready') ring(path);
    });
    expect({ stdout, stderr }).toEqual({ stdout: 'ready\nrang\n', stderr: '' });
  });

  test('an error thrown in the callback is an uncaughtException', async () => {
    const path = fifo();
    const ended = await runFixture('native/bell', ['throwing', path], (line) => {
      if (line === 'ready') ring(path);
    });
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'ready\nuncaughtException: from onRing\n', stderr: '' });
  });

  test('an error that nobody handles ends the process', async () => {
    const path = fifo();
    const { code, stderr } = await runFixture('native/bell', ['throwingUnhandled', path], (line) => {
      if (line === 'ready') ring(path);
    });
    expect(code).toBe(1);
    expect(stderr).toContain('Error: from onRing');
  });

  test('a worker that ends with an open doorbell takes its descriptor with it', async () => {
    const ended = await runFixture('native/bell', ['workers', fifo()]);
    expect(ended.stderr).toBe('');
    expect(ended.stdout.trim().split('\n')).toEqual([
      'falls off the end: 0, 0 open',
      'exits: 5, 0 open',
      'is terminated: 1, 0 open',
      'is terminated in onRing: 1, 0 open',
    ]);
    expect(ended.code).toBe(0);
  });

  test('a descriptor that would ring for ever or block is refused and stays open', () => {
    const path = fifo();
    const keeper = openSync(path, O_RDWR | O_NONBLOCK);
    for (const flags of [O_RDWR, constants.O_RDONLY | O_NONBLOCK, O_WRONLY | O_NONBLOCK]) {
      const fd = openSync(path, flags);
      expect(() => native.watchDoorbell(fd, () => {})).toThrow(
        new TypeError('fd: expected a FIFO opened O_RDWR | O_NONBLOCK, got another kind of descriptor'),
      );
      closeSync(fd);
    }
    closeSync(keeper);
  });
});

describe('ringDoorbell', () => {
  test('a full pipe counts as rung, and is drained by one call', async () => {
    let calls = 0;
    const { ringer } = watched(() => calls++);
    for (let ring = 0; ring < 70_000; ring++) expect(native.ringDoorbell(ringer)).toBe(true);
    await until(() => calls > 0);
    await turnLoop(20);
    expect(calls).toBe(1);
  });

  test('it tells when nobody reads any more', () => {
    const path = fifo();
    const reader = openSync(path, O_RDWR | O_NONBLOCK);
    const ringer = openSync(path, O_WRONLY | O_NONBLOCK);
    expect(native.ringDoorbell(ringer)).toBe(true);
    closeSync(reader);
    expect(native.ringDoorbell(ringer)).toBe(false);
    closeSync(ringer);
  });

  test('a descriptor that is not open throws EBADF', () => {
    expect(() => native.ringDoorbell(1_000_000)).toThrow(
      expect.objectContaining({ code: 'EBADF', errno: 9, syscall: 'write' }),
    );
  });
});

function ring(path: string) {
  const ringer = openSync(path, O_WRONLY | O_NONBLOCK);
  expect(native.ringDoorbell(ringer)).toBe(true);
  closeSync(ringer);
}
