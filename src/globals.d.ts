/** Parts of the platform that @types/node 20 and the ES2023 library do not declare. */
interface String {
  /** ES2024, in Node 20. */
  isWellFormed(): boolean;
}
interface Buffer {
  latin1Slice(start?: number, end?: number): string;
  utf8Slice(start?: number, end?: number): string;
}
