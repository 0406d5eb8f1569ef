#!/usr/bin/env node
/**
 * kvs-server. A thread takes as long to boot as all the rest of a start: the first one does while serve.ts, which is nearly
 * all of the program, is loaded.
 */
import { WorkerPool } from '../server/worker-pool.js';

const pool = new WorkerPool();
pool.bootAhead();
void import('./serve.js').then(({ main }) => main(pool));
