/** Writes answers: as JSON lines, exactly, or for people. */
import type { Answer } from './command.js';

/**
 * - `json`: a line of JSON for each part of an answer.
 * - `exact`: values byte for byte and nothing behind them, for pipes and files.
 * - `lines`: the same, each on a line of its own, for scripts of several commands and for one command in a terminal.
 * - `readable`: numbers as numbers, control characters as escapes, for the shell.
 */
export type Style = 'json' | 'exact' | 'lines' | 'readable';

const MISSING = '(nil)';

export class Output {
  readonly style: Style;
  readonly #stream: NodeJS.WriteStream;

  constructor(style: Style, stream: NodeJS.WriteStream = process.stdout) {
    this.style = style;
    this.#stream = stream;
  }

  /** Resolves when there is room for more. */
  async write(answer: Answer): Promise<void> {
    if (answer.text !== undefined) {
      await this.#put(answer.text);
      return;
    }
    if (this.style === 'json') {
      await this.#put(`${JSON.stringify(answer.json)}\n`);
      return;
    }
    if (answer.line !== undefined) await this.#putLine(answer.line);
    if (!('value' in answer)) return;
    const { value, isListed } = answer;
    if (this.style === 'exact' && isListed !== true) await this.#put(value?.exact ?? '');
    else if (value === undefined) await this.#putLine(MISSING);
    else await this.#putLine(this.style === 'readable' ? value.readable : value.exact);
  }

  #putLine(content: string | Uint8Array): Promise<void> {
    if (typeof content === 'string') return this.#put(`${content}\n`);
    return this.#put(Buffer.concat([content, NEWLINE]));
  }

  async #put(content: string | Uint8Array): Promise<void> {
    if (this.#stream.write(content)) return;
    await new Promise((resolve) => {
      this.#stream.once('drain', resolve);
    });
  }
}

const NEWLINE = Buffer.from('\n');
