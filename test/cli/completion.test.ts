import { describe, expect, test } from 'vitest';

import { complete } from '#dist/cli/completion.js';

const KEYS = ['user:1', 'user:2', 'key one', "it's", 'zebra', '\u00ff'].map((key) => Buffer.from(key));

const findKeys = async (prefix: Buffer) => KEYS.filter((key) => key.subarray(0, prefix.length).equals(prefix));

describe('complete', () => {
  test.each<[string, string[], string]>([
    ['inc', ['incr '], 'inc'],
    ['get', ['get', 'getdel', 'getentry'], 'get'],
    ['he', ['help '], 'he'],
    ['help mg', ['mget '], 'mg'],
    ['nothing', [], 'nothing'],
    ['get us', ['user:1', 'user:2'], 'us'],
    ['get z', ['zebra '], 'z'],
    ['mget user:1 z', ['zebra '], 'z'],
    ['get zebra z', [], 'z'],
    ['set zebra us', [], 'us'],
    ['mset zebra us', [], 'us'],
    ['mset zebra 1 us', ['user:1', 'user:2'], 'us'],
    ['get "key', ['"key one" '], '"key'],
    ["get 'key", ["'key one' "], "'key"],
    ['get key', [String.raw`key\x20one `], 'key'],
    ['get it', [String.raw`it\'s `], 'it'],
    ['set --t', ['--ttl '], '--t'],
    ['set --ttl 5s us', ['user:1', 'user:2'], 'us'],
    ['set --ttl=5s --keep-ttl us', ['user:1', 'user:2'], 'us'],
    ['set user:1 --', ['--ttl ', '--expires-at ', '--keep-ttl '], '--'],
    ['ex', ['exists', 'exit', 'expire', 'export'], 'ex'],
    ['export --', ['--output ', '--prefix '], '--'],
    ['import --i', ['--insert-only '], '--i'],
    ['import us', [], 'us'],
    ['size ', [], ''],
    ['bench --v', ['--value-bytes '], '--v'],
    ['doc', ['doctor '], 'doc'],
    ['doctor --a', ['--archived '], '--a'],
    [String.raw`get \x4`, [], ''],
  ])('%j', async (line, hits, typed) => {
    expect(await complete(line, findKeys)).toEqual([hits, typed]);
  });

  test('an empty line offers every command, an empty word every key', async () => {
    const [commands] = await complete('', findKeys);
    expect(commands).toEqual(expect.arrayContaining(['get', 'set', 'stats', 'bench', 'help', 'exit']));
    const [keys] = await complete('get ', findKeys);
    expect(keys).toHaveLength(KEYS.length);
  });
});
