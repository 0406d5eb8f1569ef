/** Commands on files of a log, which need no server: log check, log dump. */
import { withoutFlags } from '../codec/codec.js';
import { type Command, UsageError } from './command.js';
import { exactJsonOf, momentOf } from './exact-json.js';
import { jsonOfBytes } from './values.js';

const ACTIONS = ['check', 'dump'];

export const LOG_COMMANDS: readonly Command[] = [
  {
    name: 'log',
    group: 'Server',
    parameters: '<check|dump> <path>',
    summary: 'check a log, or print it as JSON lines: a directory as the server would read it, or one file',
    async *run(_session, [action, path]) {
      const { checkLog, dumpLog } = await import('../log/inspect.js');
      const name = action?.toString() ?? '';
      if (!ACTIONS.includes(name) || path === undefined) {
        throw new UsageError(`log: expected check or dump and a path, got ${JSON.stringify(name)}`);
      }
      if (name === 'check') {
        const { checkPage } = await import('./log-page.js');
        const check = checkLog(path.toString());
        const isSound = check.files.every((file) => file.isSound) && check.recovery?.isRefused !== true;
        const isOk = isSound && check.files.length > 0;
        yield { json: { ok: isOk, ...check }, line: checkPage(check), isNo: !isOk };
        return;
      }
      for (const { key, value, codec, wallTimeMs, expiresAtMs, ...facts } of dumpLog(path.toString())) {
        const json = {
          ...facts,
          at: wallTimeMs === undefined ? undefined : momentOf(wallTimeMs),
          key: jsonOfBytes(key),
          ...(value === undefined ? {} : exactJsonOf({ bytes: value, tag: withoutFlags(codec) })),
          expiresAt: expiresAtMs === 0 ? undefined : momentOf(expiresAtMs),
        };
        yield { json, line: JSON.stringify(json) };
      }
    },
  },
];
