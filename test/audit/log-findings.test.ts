/**
 * What the audit finds in the log's room in the region, and how much it says to wait there.
 * Seen to fail when: any of the bounds is left out, or wider by one; head or tail of a lane is not looked at; a lane whose
 * records go around its end is counted as one that does not; a kind of finding is new, of the log or of nobody.
 */
import { expect, test } from 'vitest';

import { MAX_WORKERS } from '#dist/memory/layout.js';
import { laneSize, LogControl, LogLane } from '#dist/memory/log-layout.js';

import { testPlants } from '../fixtures/audit/plants.js';
import type { Specimen } from '../fixtures/audit/specimen.js';

const sizeOf = (s: Specimen): number => laneSize(s.region.geometry.logBytes, s.region.geometry.workers);

const specimen = testPlants(
  [
    [
      'log-written',
      (s) => {
        s.data[s.log + LogControl.written] = 2;
        return [['log-written', 'log', '2']];
      },
    ],
    [
      'log-written',
      (s) => {
        s.data[s.log + LogControl.written] = -1;
        return [['log-written', 'log', '-1']];
      },
    ],
    [
      'log-lanes',
      (s) => {
        s.data[s.log + LogControl.lanes] = MAX_WORKERS + 1;
        return [['log-lanes', 'log', `${MAX_WORKERS + 1} lanes`]];
      },
    ],
    [
      'log-lanes',
      (s) => {
        s.data[s.log + LogControl.lanes] = -1;
        return [['log-lanes', 'log', '-1 lanes']];
      },
    ],
    [
      'log-lane',
      (s) => {
        s.data[s.lane(1) + LogLane.tail] = sizeOf(s);
        return [['log-lane', 'lane 1', `tail ${sizeOf(s)}, ${sizeOf(s)} bytes`]];
      },
    ],
    [
      'log-lane',
      (s) => {
        s.data[s.lane(0) + LogLane.head] = sizeOf(s);
        return [['log-lane', 'lane 0', `head ${sizeOf(s)}, tail`]];
      },
    ],
    [
      'log-lane',
      (s) => {
        s.data[s.lane(0) + LogLane.head] = -8;
        s.data[s.lane(1) + LogLane.tail] = -8;
        return [
          ['log-lane', 'lane 0', 'head -8'],
          ['log-lane', 'lane 1', 'tail -8'],
        ];
      },
    ],
    [
      'log-lane',
      (s) => {
        s.data[s.lane(0) + LogLane.head] += 4;
        s.data[s.lane(1) + LogLane.tail] += 4;
        return [
          ['log-lane', 'lane 0', 'head'],
          ['log-lane', 'lane 1', 'tail'],
        ];
      },
    ],
  ],
  'log',
);

test('what waits is counted, also around the end of a lane', async () => {
  const s = specimen();
  const record = s.data[s.lane(0) + LogLane.tail] - s.data[s.lane(0) + LogLane.head];
  const { log } = await s.audit();
  expect(log).toEqual({ bytes: s.region.geometry.logBytes, waitingBytes: 2 * record, lanes: 2 });
  expect(record).toBe(s.data[s.lane(0) + LogLane.head]);
  s.data[s.lane(0) + LogLane.head] = sizeOf(s) - 8;
  expect((await s.audit()).log?.waitingBytes).toBe(record + 2 * record + 8);
});
