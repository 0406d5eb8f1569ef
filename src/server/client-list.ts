/**
 * The client indices in use, for whoever looks at all clients: read from the records when their number has changed, and
 * every second in any case (one may have come as another left, or died before it was counted), so that an idle server
 * does not walk over a thousand records in every round.
 */
import { performance } from 'node:perf_hooks';

import { clientsInUse } from '../memory/client-lease.js';
import { CtlHeader } from '../memory/layout.js';
import type { Region } from '../memory/region.js';
import { load, store } from '../memory/words.js';

const SCAN_MS = 1000;

export class ClientList {
  readonly #region: Region;
  #clients: number[] = [];
  #scanAt = 0;

  constructor(region: Region) {
    this.#region = region;
  }

  /** Once per round. @returns the indices in use */
  refresh(): readonly number[] {
    const { words } = this.#region.ctl;
    const isChanged = load(words, CtlHeader.clients) !== this.#clients.length;
    const now = performance.now();
    if (!isChanged && now < this.#scanAt) return this.#clients;
    this.#scanAt = now + SCAN_MS;
    this.#clients = clientsInUse(this.#region);
    store(words, CtlHeader.clients, this.#clients.length);
    return this.#clients;
  }
}
