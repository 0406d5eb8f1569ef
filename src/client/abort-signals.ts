/** Who is told when a signal is aborted. */
import { kindOf } from '../errors.js';

/** Of this thread, by signal: one listener each, since Node warns of a leak where there are more than ten. */
const watches = new WeakMap<AbortSignal, { readonly onAbort: () => void; readonly told: Set<() => void> }>();

/** Has `tell` called when the signal is aborted. */
export function watchSignal(signal: AbortSignal, tell: () => void): void {
  const watch = watches.get(signal);
  if (watch !== undefined) {
    watch.told.add(tell);
    return;
  }
  const told = new Set([tell]);
  const onAbort = (): void => {
    for (const each of told) each();
  };
  watches.set(signal, { onAbort, told });
  signal.addEventListener('abort', onAbort, { once: true });
}

export function leaveSignal(signal: AbortSignal, tell: () => void): void {
  const watch = watches.get(signal);
  if (watch?.told.delete(tell) !== true || watch.told.size > 0) return;
  watches.delete(signal);
  signal.removeEventListener('abort', watch.onAbort);
}

/** By what it can do: there may be other AbortSignals than this global one. @throws TypeError for what is none */
export function checkSignal(signal: AbortSignal): void {
  const { aborted, addEventListener } = Object(signal) as Partial<AbortSignal>;
  if (typeof aborted === 'boolean' && typeof addEventListener === 'function') return;
  throw new TypeError(`signal must be an AbortSignal, got ${kindOf(signal)}`);
}
