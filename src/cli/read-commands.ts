/** Commands that look: get, getentry, exists, mget, keys, entries, size. */
import { valueAnswer } from './arguments.js';
import type { Command } from './command.js';
import { quoteWord } from './shell-words.js';
import { jsonOfBytes, jsonOfValue, shownValue } from './values.js';

const NO_KEY = Buffer.alloc(0);
const isFirst = (position: number): boolean => position === 0;

export const READ_COMMANDS: readonly Command[] = [
  {
    name: 'get',
    group: 'Read',
    parameters: '<key>',
    summary: 'print the value of a key, byte for byte',
    takesKey: isFirst,
    async *run(session, [key = NO_KEY]) {
      const client = await session.client();
      yield valueAnswer(session, key, await client.get(key, { signal: session.signal }));
    },
  },
  {
    name: 'getentry',
    group: 'Read',
    parameters: '<key>',
    summary: 'print the version of a key, then its value',
    takesKey: isFirst,
    async *run(session, [key = NO_KEY]) {
      const client = await session.client();
      const entry = await client.getEntry(key, { signal: session.signal });
      if (entry === undefined) yield valueAnswer(session, key, undefined);
      else {
        const { value, ...facts } = entry;
        yield { ...valueAnswer(session, key, value, facts), line: String(facts.version) };
      }
    },
  },
  {
    name: 'exists',
    group: 'Read',
    parameters: '<key>',
    summary: 'tell whether a key is there',
    takesKey: isFirst,
    async *run(session, [key = NO_KEY]) {
      const client = await session.client();
      const exists = await client.exists(key, { signal: session.signal });
      yield { json: { exists }, line: String(exists), isNo: !exists };
    },
  },
  {
    name: 'mget',
    group: 'Read',
    parameters: '<keys...>',
    summary: 'print the values of several keys, a line each',
    takesKey: () => true,
    async *run(session, keys) {
      const client = await session.client();
      const values = await client.mget(keys, { signal: session.signal });
      for (const [index, key] of keys.entries()) yield { ...valueAnswer(session, key, values[index]), isListed: true };
    },
  },
  {
    name: 'keys',
    group: 'Read',
    parameters: '[prefix]',
    summary: 'print the keys that start with the prefix, or all',
    takesKey: isFirst,
    async *run(session, [prefix = NO_KEY]) {
      const client = await session.client();
      for await (const key of client.keys(prefix, { signal: session.signal })) {
        yield { json: jsonOfBytes(key), line: key };
      }
    },
  },
  {
    name: 'entries',
    group: 'Read',
    parameters: '[prefix]',
    summary: 'print keys with their values, quoted as the shell reads them',
    takesKey: isFirst,
    async *run(session, [prefix = NO_KEY]) {
      const client = await session.client();
      const { codec } = session.options;
      for await (const [key, value] of client.entries(prefix, { signal: session.signal })) {
        const line = `${quoteWord(key)} ${quoteWord(shownValue(value, codec).exact)}`;
        yield { json: { key: jsonOfBytes(key), ...jsonOfValue(value, codec) }, line };
      }
    },
  },
  {
    name: 'size',
    group: 'Read',
    parameters: '',
    summary: 'print how many keys there are',
    async *run(session) {
      const client = await session.client();
      const size = await client.size({ signal: session.signal });
      yield { json: { size }, line: String(size) };
    },
  },
];
