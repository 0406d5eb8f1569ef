/**
 * What callers hand in as bytes, looked at by means that no subclass, own property or proxy can get in between: room is made
 * for as many bytes as are copied, whatever the array says of itself.
 */
const { prototype } = Object.getPrototypeOf(Uint8Array) as { readonly prototype: object };

interface Getter<T> {
  call(array: Uint8Array): T;
}

const getterOf = <T>(property: string): Getter<T> =>
  (Object.getOwnPropertyDescriptor(prototype, property) as unknown as { readonly get: Getter<T> }).get;

const lengthGetter = getterOf<number>('length');
const bufferGetter = getterOf<ArrayBuffer & { readonly resizable?: boolean; readonly growable?: boolean }>('buffer');

/** How many bytes there really are. */
export const lengthOf = (array: Uint8Array): number => lengthGetter.call(array);

/** How long text or bytes are: units of UTF-16, or bytes. */
export const unitsOf = (data: string | Uint8Array): number => (typeof data === 'string' ? data.length : lengthOf(data));

/** Of what the caller may change later: text, or a copy of the bytes that are there. */
export const ownCopy = (data: string | Uint8Array): string | Uint8Array =>
  typeof data === 'string' ? data : new Uint8Array(data);

/**
 * The array itself, or a copy if its length might change while it is being written. @throws TypeError for one whose memory
 * was transferred away
 */
export function steady(array: Uint8Array, what: string): Uint8Array {
  const buffer = bufferGetter.call(array);
  if (buffer.resizable === true || buffer.growable === true) return copyOfAll(array, what);
  if (lengthOf(array) === 0 && isDetached(buffer)) {
    throw new TypeError(`${what} must have its bytes, got an array whose memory was transferred: copy it before that`);
  }
  return array;
}

function copyOfAll(array: Uint8Array, what: string): Uint8Array {
  try {
    return new Uint8Array(array);
  } catch (cause) {
    throw new TypeError(`${what} must have its bytes, got an array that begins or ends behind its buffer`, { cause });
  }
}

function isDetached(buffer: ArrayBuffer): boolean {
  try {
    return new Uint8Array(buffer).length < 0;
  } catch {
    return true;
  }
}
