/**
 * The hand-written server: a Map behind a Unix socket. Frames, both ways: length of what follows (u32), a byte, and
 * for a request 'g' key16 or 's' key16 value; for an answer '+' value, or '-' when the key is missing.
 */
import { createServer } from 'node:net';

import { ByteStream } from './byte-stream.mjs';
import { Outbox } from './outbox.mjs';

/** @import { Socket } from 'node:net' */

export const KEY_BYTES = 16;
/** Values from here on are kept and sent as bytes, smaller ones as text. */
const BYTES_FROM = 16_384;

/** @param {number} bytes */
export function lengthText(bytes) {
  return String.fromCharCode(bytes & 255, (bytes >>> 8) & 255, (bytes >>> 16) & 255, bytes >>> 24);
}

/**
 * @param {string} path of the socket
 * @returns {Promise<() => unknown>} how to stop it
 */
export async function serveMap(path) {
  /** @type {Map<string, string | Buffer>} */
  const entries = new Map();
  const server = createServer((socket) => serveOne(socket, entries));
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(undefined));
  });
  return () => server.close();
}

/**
 * @param {Socket} socket
 * @param {Map<string, string | Buffer>} entries
 */
function serveOne(socket, entries) {
  const stream = new ByteStream();
  const outbox = new Outbox(socket);
  socket.on('error', () => socket.destroy());
  socket.on('data', (piece) => {
    stream.push(piece);
    if (!stream.mayHaveMore) return;
    for (;;) {
      const length = stream.peekUint32();
      const frame = length === undefined ? undefined : stream.take(4 + length);
      if (frame === undefined) return;
      answer(frame, entries, outbox);
    }
  });
}

/**
 * @param {Buffer} frame
 * @param {Map<string, string | Buffer>} entries
 * @param {Outbox} outbox
 */
function answer(frame, entries, outbox) {
  const key = frame.toString('latin1', 5, 5 + KEY_BYTES);
  if (frame[4] === 115) {
    const value = frame.subarray(5 + KEY_BYTES);
    entries.set(key, value.length < BYTES_FROM ? value.toString('latin1') : Buffer.from(value));
    outbox.addText(`${lengthText(1)}+`);
    return;
  }
  const value = entries.get(key);
  if (value === undefined) outbox.addText(`${lengthText(1)}-`);
  else if (typeof value === 'string') outbox.addText(`${lengthText(1 + value.length)}+${value}`);
  else {
    outbox.addText(`${lengthText(1 + value.length)}+`);
    outbox.addBytes(value);
  }
}
