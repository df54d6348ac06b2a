/** multiproc: the table of contents. */
export {
  AuthenticationError,
  BrokenBarrierError,
  BufferTooShortError,
  ClosedError,
  DeadlockError,
  EmptyError,
  FullError,
  InterruptedError,
  MultiprocessingError,
  ProcessError,
  RemoteError,
  ShutDownError,
  TimeoutError,
  WorkerDiedError,
  type DeadlockStep,
} from './errors.js';

export { Barrier, type BarrierOptions } from './sync/barrier.js';
export { Condition } from './sync/condition.js';
export { detectDeadlocks } from './sync/deadlock.js';
export type { AbandonedMessage, ContentionMessage, ContentionOutcome } from './sync/diagnostics.js';
export { Event, Event as MpEvent, type NamedEventFacts } from './sync/event.js';
export type { Guard } from './sync/guard.js';
export { Lock } from './sync/lock.js';
export type { NamedLockFacts } from './sync/lock-handle.js';
export type { NamedLockOptions } from './sync/named-lock.js';
export {
  locks,
  type LockInfo,
  type LockManager,
  type LockMode,
  type LockRequestOptions,
  type RequestedLock,
} from './sync/locks.js';
export { RLock, type RLockGuard } from './sync/rlock.js';
export { RWLock, type NamedRWLockFacts, type RWGuard, type RWMode } from './sync/rwlock.js';
export {
  BoundedSemaphore,
  Semaphore,
  type NamedSemaphoreFacts,
  type NamedSemaphoreOptions,
  type SemaphoreGuard,
  type SemaphoreSyncWaitOptions,
  type SemaphoreWaitOptions,
} from './sync/semaphore.js';
export type { Owner } from './sync/owner.js';
export type { SyncWaitOptions, WaitOptions } from './sync/wait-options.js';

export { MpArray, MpArray as Array, RawArray, type ArrayInit } from './memory/array.js';
export { RawValue } from './memory/raw-value.js';
export { Value } from './memory/value.js';
export type { TypeCode, TypeName, ValueOf } from './memory/types.js';

export { ShareableList, type ShareableItem, type ShareableListOptions } from './memory/shareable-list.js';
export { SharedArray } from './memory/shared-array.js';
export type { CreateOptions as SharedArrayOptions } from './memory/create-array.js';
export type { SharedArrayFacts } from './memory/named-arrays.js';
export { SharedMemory, type SharedMemoryFacts, type SharedMemoryOptions } from './memory/shared-memory.js';

export type { Address } from './connection/address.js';
export { Client, type ClientOptions, ClientSync, type SyncClientOptions } from './connection/client.js';
export { Connection, type SendBytesOptions, type SyncSendBytesOptions } from './connection/connection.js';
export { Listener, type RefusedMessage, type SocketListener } from './connection/listener.js';
export type { ConnectionOptions, ListenerOptions } from './connection/options.js';
export type { ReadableStreamOptions, StreamOptions, WebStreams } from './connection/streams.js';

export { release } from './message/blocks.js';
export { Pipe, type PipeOptions } from './connection/pipe.js';
export { wait, type Waitable } from './connection/wait.js';
export type { QueueOptions } from './queue/create-queue.js';
export { JoinableQueue } from './queue/joinable-queue.js';
export { Queue, type GetOptions, type SyncGetOptions } from './queue/queue.js';
export { SimpleQueue } from './queue/simple-queue.js';

export { AsyncResult } from './pool/async-result.js';
export { currentTask, workerState, type CurrentTask } from './pool/current-task.js';
export type { PoolTaskMessage, PoolWorkerMessage } from './pool/diagnostics.js';
export { ProcessPoolExecutor, type ExecutorMapOptions } from './pool/executor.js';
export type { Input } from './pool/chunks.js';
export type { ImapOptions, MapOptions, PoolOptions, TaskOptions } from './pool/options.js';
export { Pool, type AsyncOptions, type PoolFunction } from './pool/pool.js';
export type { PoolStats } from './pool/stats.js';
export { ThreadPool } from './pool/thread-pool.js';

export type { Handle } from './transfer/handle.js';
export { open, share } from './transfer/share.js';

export { cpuCount } from './process/cpu-count.js';
export { isMainProcess } from './process/current.js';
export { getContext, type Context } from './process/context.js';
export { onFork, type ForkHooks } from './process/fork/hooks.js';
export { setForkserverPreload } from './process/forkserver/preload.js';
export { run, spawnGroup, type GroupOptions } from './process/group.js';
export { parentProcess, type ParentProcess } from './process/parent-process.js';
export { currentProcess } from './process/current-process.js';
export { activeChildren, Process } from './process/process.js';
export type { ProcessOptions, Target } from './process/options.js';
export type { Stdio, StdioItem } from './process/stdio.js';
export {
  getAllStartMethods,
  getStartMethod,
  setStartMethod,
  type StartMethod,
} from './process/start-method.js';
export type { FunctionAddress } from './transfer/function-ref.js';
