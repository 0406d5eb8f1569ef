/** The public API of shm-kvs. */
export { type Entries, KvsClient } from './client/client.js';
export type { Key } from './client/calls.js';
export type { ExpiryOptions, PostOptions, WriteOptions } from './client/expiry.js';
export type { AutostartOptions, CallOptions, KvsClientOptions } from './client/options.js';
export { Task, type TaskName, type TaskState } from './client/task.js';
export type { View } from './client/view.js';
export type { CodecName, CodecTypes, CustomCodec } from './codec/codec.js';
export { type Executed, KvsError, type KvsErrorCode } from './errors.js';
export type { VersionedValue } from './operation/get.js';
export type { KvsStatistics, LatencySummary } from './operation/stats.js';
export type { EvictedKeys, EvictListener } from './server/evictions.js';
export type { KvsServerOptions, ServerEvent } from './server/options.js';
export { KvsServer } from './server/server.js';
export { VERSION } from './version.js';
