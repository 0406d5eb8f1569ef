/** How a command is called, and whether it was called so. */
import { type Command, UsageError } from './command.js';

export const usageOf = ({ name, parameters, options = [] }: Command): string =>
  [name, parameters, ...options.map((option) => `[--${option.name}${option.argument ? ` ${option.argument}` : ''}]`)]
    .filter((part) => part !== '')
    .join(' ');

/** @throws UsageError for too few or too many arguments */
export function checkCount(command: Command, count: number): void {
  const parameters = command.parameters.split(' ').filter((parameter) => parameter !== '');
  const min = parameters.filter((parameter) => parameter.startsWith('<')).length;
  const max = command.parameters.includes('...') ? Infinity : parameters.length;
  if (count < min || count > max) {
    throw new UsageError(`too ${count < min ? 'few' : 'many'} arguments: ${usageOf(command)}`);
  }
}
