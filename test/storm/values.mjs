/**
 * Values that say what they are: each is written once, and its token, which is all that histories hold, tells every byte
 * of it. A value that is not what its token says is a token that nobody wrote.
 */

/** @param {string} token `<writer>:<characters>` */
export function expand(token) {
  const length = Number(token.slice(token.indexOf(':') + 1));
  const head = `${token}|`;
  return head + String.fromCharCode(97 + (length % 26)).repeat(Math.max(0, length - head.length));
}

/** @param {string | undefined} value @returns {string | undefined} numbers are their own tokens */
export function tokenOf(value) {
  if (value === undefined || /^-?\d+$/.test(value)) return value;
  const token = value.slice(0, Math.max(0, value.indexOf('|')));
  return expand(token) === value ? token : `damaged: ${value.slice(0, 60)} (${value.length} characters)`;
}
