/** Runs one command: prints its answers as they come. */
import type { Command, CommandOptions, Session } from './command.js';
import { EXIT } from './exit-codes.js';
import type { Output } from './output.js';

/** @returns the exit code. @throws whatever ends the command */
export async function runCommand(
  session: Session,
  output: Output,
  command: Command,
  args: readonly Buffer[],
  options: CommandOptions,
): Promise<number> {
  let isNo = false;
  for await (const answer of command.run(session, args, options)) {
    isNo ||= answer.isNo === true;
    await output.write(answer);
  }
  return isNo ? EXIT.no : EXIT.ok;
}
