/**
 * Descriptors of fixed records in shared memory: offsets are running sums over a list of fields, never literals.
 * A record is plain data made at import time; field offsets come back in the unit that their accessor uses.
 */

/** Words that are contended for stand this far apart: two cache lines, because neighbours are fetched together. */
export const LINE = 128;

/** One field: its width in bytes and the unit its offset is given in (4: Int32Array, 8: Float64Array, 1: bytes). */
export interface Field {
  readonly bytes: number;
  readonly unit: 1 | 4 | 8;
}

/** A 32-bit word; its offset counts words. */
export const i32: Field = { bytes: 4, unit: 4 };
/** A 64-bit float, 8-aligned; its offset counts 8-byte units. */
export const f64: Field = { bytes: 8, unit: 8 };
/** `count` 32-bit words; its offset counts words. */
export const words = (count: number): Field => ({ bytes: count * 4, unit: 4 });
/** `count` 64-bit floats; its offset counts 8-byte units. */
export const floats = (count: number): Field => ({ bytes: count * 8, unit: 8 });
/** Raw bytes; its offset counts bytes. */
export const bytes = (count: number): Field => ({ bytes: count, unit: 1 });
/** Moves the next field to a multiple of `alignment` bytes. */
export const align = (alignment: number): Alignment => ({ alignment });

interface Alignment {
  readonly alignment: number;
}

export type RecordLayout<Names extends string> = Readonly<Record<Names, number>> & { readonly sizeBytes: number };

type FieldNames<Spec> = { [K in keyof Spec]: Spec[K] extends Field ? K : never }[keyof Spec] & string;

/**
 * Lays the fields out in order. Each comes at the next offset that its unit divides.
 * @throws Error at import when the fields do not fit `sizeBytes`
 */
export function record<Spec extends Readonly<Record<string, Field | Alignment>>>(
  sizeBytes: number,
  spec: Spec,
): RecordLayout<FieldNames<Spec>> {
  const offsets: [string, number][] = [];
  let offset = 0;
  for (const [name, field] of Object.entries(spec)) {
    if ('alignment' in field) {
      offset = roundUp(offset, field.alignment);
      continue;
    }
    offset = roundUp(offset, field.unit);
    offsets.push([name, offset / field.unit]);
    offset += field.bytes;
  }
  if (offset > sizeBytes) throw new Error(`record of ${offset} bytes does not fit ${sizeBytes}`);
  offsets.push(['sizeBytes', sizeBytes]);
  // Made at once: property by property, the long ones would become hash tables, looked up at every access.
  return Object.freeze(Object.fromEntries(offsets)) as RecordLayout<FieldNames<Spec>>;
}

/** The smallest multiple of `step` that is not below `value`. */
export const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;
