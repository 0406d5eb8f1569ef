/** Answers that wait for the log (exchange/unsettled.ts), where the worker that should have noted them has died. */
import { Unsettled } from '../exchange/unsettled.js';
import type { Geometry } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { wakeLog } from '../store/log-lane.js';
import { LogOrder } from '../store/log-order.js';

/** For a request of which only a dead thread knew that it had taken effect: what that has logged is in front of the end. */
export function noteUnsettled(data: SegmentViews, geometry: Geometry): (slot: number, executing: number) => void {
  const unsettled = new Unsettled(data, geometry);
  const order = new LogOrder(data.words, geometry);
  return (slot, executing) => {
    unsettled.note(slot, executing, order.last());
    wakeLog(data.words, geometry);
  };
}
