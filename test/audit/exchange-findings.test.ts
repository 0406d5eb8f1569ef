/**
 * What the audit finds in the ctl segment: clients, pins, slots, chunks, the queue.
 */
import { OWNED } from '#dist/exchange/payload-arena.js';
import { SlotState, useOf } from '#dist/exchange/slot-word.js';
import { TaskQueue } from '#dist/exchange/task-queue.js';
import { PINNERS_BYTES, PINS_PER_CLIENT } from '#dist/memory/heap-layout.js';
import { ClientRecord, CtlHeader, DataHeader, Slot } from '#dist/memory/layout.js';

import { dead, testPlants } from '../fixtures/audit/plants.js';
import type { Specimen } from '../fixtures/audit/specimen.js';

const slotWord = (state: number, owner: number, generation = 7): number => (generation << 14) | (owner << 3) | state;
const chunkOwner = (s: Specimen, chunk: number): number => s.region.geometry.chunkOwnersOffset / 4 + chunk;
const pinnersOf = (s: Specimen): number => s.region.geometry.pinsOffset / 4;
const pinsOf = (s: Specimen, client: number): number => pinnersOf(s) + PINNERS_BYTES / 4 + client * PINS_PER_CLIENT;

testPlants(
  [
    [
      'header-state',
      (s) => {
        s.ctl[CtlHeader.state] = 77;
        return [['header-state', 'header', 'state 77']];
      },
    ],
    [
      'header-recoveries',
      (s) => {
        s.data[DataHeader.recoveries] = -3;
        return [['header-recoveries', 'header', '-3']];
      },
    ],
    [
      'header-workers',
      (s) => {
        s.serve(true);
        s.ctl[CtlHeader.asleep] = 1 << 9;
        return [['header-workers', 'header', 'asleep 0x00000200']];
      },
    ],
    [
      'client-dead',
      (s) => {
        s.dieAs(5);
        s.ctl[s.client(5) + ClientRecord.pid] = 4711;
        return [['client-dead', 'client 5', 'process 4711']];
      },
    ],
    [
      'client-record',
      (s) => {
        s.ctl[s.client(6) + ClientRecord.inUse] = 9;
        return [['client-record', 'client 6', 'inUse 9, its lease is free']];
      },
    ],
    [
      'client-flag',
      (s) => {
        s.dieAs(5);
        s.ctl[s.client(5) + ClientRecord.starving] = 2;
        return [dead(5), ['client-flag', 'client 5', 'starving 2']];
      },
    ],
    [
      'client-count',
      (s) => {
        s.serve(true);
        s.ctl[CtlHeader.clients] = 3;
        return [['client-count', 'header', 'says 3, there are 0']];
      },
    ],
    [
      'pin-of-nobody',
      (s) => {
        s.ctl[pinsOf(s, 8) + 3] = s.largeBlock();
        return [['pin-of-nobody', 'client 8, pin 3', `granule ${s.largeBlock()}`]];
      },
    ],
    [
      'pin-unmarked',
      (s) => {
        s.dieAs(5);
        s.ctl[pinsOf(s, 5)] = s.largeBlock();
        return [dead(5), ['pin-unmarked', 'client 5', 'holds 1 pins']];
      },
    ],
    [
      'pin-marked',
      (s) => {
        s.ctl[pinnersOf(s) + 1] = 1 << 2;
        return [['pin-marked', 'client 34', 'holds 0 pins']];
      },
    ],
    [
      'pin-astray',
      (s) => {
        s.dieAs(5);
        s.ctl[pinsOf(s, 5)] = s.largeBlock() + 1;
        s.ctl[pinnersOf(s)] = 1 << 5;
        return [dead(5), ['pin-astray', 'client 5, pin 0', `granule ${s.largeBlock() + 1}`]];
      },
    ],
    [
      'slot-state',
      (s) => {
        s.ctl[s.slot(3)] = slotWord(6, 1);
        return [['slot-state', 'slot 3', 'no state, generation 7, client 1']];
      },
    ],
    [
      'slot-free-owned',
      (s) => {
        s.ctl[s.slot(3)] = slotWord(SlotState.free, 9);
        return [['slot-free-owned', 'slot 3', 'FREE, generation 7, client 9']];
      },
    ],
    [
      'slot-of-nobody',
      (s) => {
        s.ctl[s.slot(3)] = slotWord(SlotState.building, 9);
        return [['slot-of-nobody', 'slot 3', 'BUILDING, generation 7, client 9']];
      },
    ],
    [
      'slot-unnamed',
      (s) => {
        s.serve(true);
        s.ctl[s.slot(3)] = slotWord(SlotState.executing, 9);
        return [['slot-unnamed', 'slot 3', 'EXECUTING, generation 7, client 9']];
      },
    ],
    [
      'slot-unqueued',
      (s) => {
        s.serve(true);
        s.dieAs(9);
        s.ctl[CtlHeader.clients] = 1;
        s.ctl[s.slot(3)] = slotWord(SlotState.submitted, 9);
        s.ctl[s.slot(3) + Slot.after] = -1;
        return [dead(9), ['slot-unqueued', 'slot 3', 'SUBMITTED, generation 7, client 9']];
      },
    ],
    [
      'slot-extent',
      (s) => {
        s.dieAs(9);
        s.ctl[s.slot(3)] = slotWord(SlotState.submitted, 9);
        s.ctl[s.slot(3) + Slot.extent] = 5;
        s.ctl[s.slot(3) + Slot.extentChunks] = 2;
        s.ctl[chunkOwner(s, 4)] = OWNED | useOf(3, s.ctl[s.slot(3)]);
        return [dead(9), ['slot-extent', 'slot 3', 'chunk 5']];
      },
    ],
    [
      'chunk-word',
      (s) => {
        s.ctl[chunkOwner(s, 4)] = 0x1234;
        return [['chunk-word', 'chunk 4', 'owner 0x00001234']];
      },
    ],
    [
      'chunk-stale',
      (s) => {
        s.ctl[chunkOwner(s, 4)] = OWNED | useOf(3, slotWord(SlotState.done, 9));
        return [['chunk-stale', 'chunk 4', 'slot 3, whose word is 0x00000000']];
      },
    ],
    [
      'chunk-unreferenced',
      (s) => {
        s.dieAs(9);
        s.ctl[s.slot(3)] = slotWord(SlotState.done, 9);
        s.ctl[chunkOwner(s, 4)] = OWNED | useOf(3, s.ctl[s.slot(3)]);
        return [dead(9), ['chunk-unreferenced', 'chunk 4', 'slot 3, whose word is']];
      },
    ],
    [
      'queue-position',
      (s) => {
        s.ctl[CtlHeader.queueTail] += s.region.geometry.queueCells + 1;
        return [['queue-position', 'queue', 'cells 64']];
      },
    ],
    [
      'queue-cell',
      (s) => {
        s.ctl[s.region.geometry.queueOffset / 4 + 9] = 12_345;
        return [['queue-cell', 'cell 9', 'says 0x00003039']];
      },
    ],
    [
      'queue-slot',
      (s) => {
        new TaskQueue(s.region.ctl, s.region.geometry).enqueue(40);
        return [['queue-slot', 'cell 0', 'names slot 40 of 16']];
      },
    ],
  ],
  'exchange',
);
