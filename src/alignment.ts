/** Where things begin in shared memory and in files: at multiples of 4, or of 8. */

export const pad4 = (bytes: number): number => (bytes + 3) & ~3;
export const pad8 = (bytes: number): number => (bytes + 7) & ~7;
