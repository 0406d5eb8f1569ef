import assert from 'node:assert/strict';
const compare = (a: unknown, m?: string) => ({
  toBe: (b: unknown) => assert.ok(Object.is(a, b), `${m ?? ''} ${String(a)} is not ${String(b)}`),
  toEqual: (b: unknown) => assert.deepEqual(a, b),
  toBeGreaterThan: (b: number) => assert.ok((a as number) > b),
  toBeGreaterThanOrEqual: (b: number) => assert.ok((a as number) >= b),
});
export const expect = (a: unknown, m?: string) => ({ ...compare(a, m), not: { toBe: (b: unknown) => assert.ok(!Object.is(a, b), m) } });
