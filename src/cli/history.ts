/**
 * The shell's history, kept in a file that shells at the same time add to line by line. It is a comfort: where it cannot
 * be read or written, the shell does without.
 */
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

export const MAX_LINES = 1000;

/** `$XDG_STATE_HOME/shm-kvs/history`, by default under `~/.local/state`. */
export function historyPath(environment: NodeJS.ProcessEnv = process.env): string {
  const given = environment['XDG_STATE_HOME'] ?? '';
  // The specification says to ignore relative paths.
  const stateHome = isAbsolute(given) ? given : join(homedir(), '.local', 'state');
  return join(stateHome, 'shm-kvs', 'history');
}

export class History {
  readonly #path: string;

  constructor(path: string = historyPath()) {
    this.#path = path;
  }

  /** @returns the lines of earlier shells, newest first, as readline wants them; shortens a file that has grown */
  read(): string[] {
    const lines = this.#lines();
    const kept = lines.slice(-MAX_LINES);
    if (lines.length > 2 * MAX_LINES) this.#replace(kept);
    return kept.toReversed();
  }

  add(line: string): void {
    quietly(() => {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      appendFileSync(this.#path, `${line}\n`, { mode: 0o600 });
    });
  }

  #lines(): string[] {
    let text = '';
    quietly(() => (text = readFileSync(this.#path, 'utf8')));
    return text.split('\n').filter((line) => line !== '');
  }

  #replace(lines: readonly string[]): void {
    const draft = `${this.#path}.${process.pid}`;
    quietly(() => {
      writeFileSync(draft, `${lines.join('\n')}\n`, { mode: 0o600 });
      renameSync(draft, this.#path);
    });
  }
}

function quietly(action: () => void): void {
  try {
    action();
  } catch {
    // No history then.
  }
}
