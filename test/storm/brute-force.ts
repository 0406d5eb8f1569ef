/** The definition itself: tries every order of every choice of open operations. For histories of a few operations. */
import { MISSING, type Operation, type State, step } from './key-model.mjs';

export function isLinearizable(operations: readonly Operation[]): boolean {
  const open = operations.filter(({ isOpen }) => isOpen);
  for (let choice = 0; choice < 2 ** open.length; choice++) {
    const happened = new Set(open.filter((_, index) => (choice & (1 << index)) !== 0));
    const chosen = operations.filter((operation) => !operation.isOpen || happened.has(operation));
    if (canFollow(chosen, MISSING)) return true;
  }
  return false;
}

const mustPrecede = (a: Operation, b: Operation): boolean =>
  a.returned < b.invoked || (a.session === b.session && a.issue < b.issue);

function canFollow(rest: readonly Operation[], state: State): boolean {
  if (rest.length === 0) return true;
  return rest.some((operation) => {
    if (rest.some((other) => other !== operation && mustPrecede(other, operation))) return false;
    const next = step(state, operation);
    return (
      next !== undefined &&
      canFollow(
        rest.filter((other) => other !== operation),
        next,
      )
    );
  });
}
