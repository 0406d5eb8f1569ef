/**
 * What a ringer writes to: a FIFO under the name of a client's doorbell, and nothing else that somebody may have put there.
 * And what a client listens to: the FIFO that was checked, not what a link leads to that took its place since.
 * Seen to fail by `npm run test:mutations -- --only doorbell`.
 */
import { closeSync, constants, openSync, readFileSync, readSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, onTestFinished, test, vi } from 'vitest';

import { openDoorbell } from '#dist/client/doorbell.js';
import { BellRinger } from '#dist/exchange/bell-ringer.js';
import { ClientRecord } from '#dist/memory/layout.js';
import { native } from '#dist/native.js';

import { temporaryDirectory, temporaryPath } from '../fixtures/processes.js';
import { createTestRegion, privateCtl } from '../fixtures/region.js';

const CLIENT = 7;

/** A FIFO that somebody listens to. @returns its path, and the bytes that came since last asked */
function fifo() {
  const path = temporaryPath();
  native.makeFifo(path, 0o600);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  onTestFinished(() => closeSync(fd));
  const rings = () => {
    try {
      return readSync(fd, Buffer.alloc(16), 0, 16, null);
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('EAGAIN');
      return 0;
    }
  };
  return { path, rings };
}

/** A ringer of one client, whose bell is at `path`. */
function ringerOf(path: string) {
  const { ctl, geometry } = privateCtl();
  const ringer = new BellRinger(ctl, geometry.clientsOffset, () => path);
  onTestFinished(() => ringer.close());
  const armed = (geometry.clientsOffset + CLIENT * ClientRecord.sizeBytes) / 4 + ClientRecord.armed;
  return {
    ringer,
    arm: () => void (ctl.words[armed] = 1),
    ring: () => {
      ctl.words[armed] = 1;
      ringer.ring(CLIENT);
      return ctl.words[armed];
    },
  };
}

test('a FIFO is rung, once for each time that it is armed', () => {
  const { path, rings } = fifo();
  const { ring } = ringerOf(path);
  expect([ring(), rings(), rings()]).toEqual([0, 1, 0]);
  expect([ring(), rings()]).toEqual([0, 1]);
});

test('completions of one batch ring once, after the last of them, and only for who asked before', () => {
  const { path, rings } = fifo();
  const { ringer, arm } = ringerOf(path);
  arm();
  for (let i = 0; i < 3; i++) ringer.note(CLIENT);
  expect(rings()).toBe(0);
  ringer.flush();
  expect(rings()).toBe(1);
  ringer.note(CLIENT);
  arm();
  ringer.flush();
  expect(rings()).toBe(0);
});

test('a link is not followed, not even to a FIFO', () => {
  const { path, rings } = fifo();
  const link = join(temporaryDirectory(), 'link');
  symlinkSync(path, link);
  expect(ringerOf(link).ring()).toBe(0);
  expect(rings()).toBe(0);
});

test('a plain file is not written to', () => {
  const path = temporaryPath();
  writeFileSync(path, 'untouched');
  expect(ringerOf(path).ring()).toBe(0);
  expect(readFileSync(path, 'utf8')).toBe('untouched');
});

test('a FIFO that nobody listens to does not block', () => {
  const path = temporaryPath();
  native.makeFifo(path, 0o600);
  expect(ringerOf(path).ring()).toBe(0);
});

test('a link that takes the place of a checked doorbell is not listened to', () => {
  const region = createTestRegion();
  const path = region.paths.bell(CLIENT);
  const foreign = fifo();
  const makeFifo = vi.spyOn(native, 'makeFifo').mockImplementation(() => symlinkSync(foreign.path, path));
  onTestFinished(() => makeFifo.mockRestore());
  expect(() => openDoorbell(region, CLIENT, () => {})).toThrow('ELOOP');
  rmSync(path);
});
