/** The blocks that one worker holds, so that whoever cleans up after it finds them. */
import { WorkerRecord } from '../memory/layout.js';

/** Words of a worker's record, each the granule of a block in use or 0. */
export const BLOCK_NOTES = [WorkerRecord.pendingBlock, WorkerRecord.spareBucket, WorkerRecord.keptBlock];
