/** The addon's functions for named segments. Failures throw an Error with `errno` and `syscall`. */

import type { OwnerInfo } from './arena-binding.js';
import type { SeatFacts } from './monitor-binding.js';

/** What a segment holds: native/core/segment.h's NamedKind; 0 is plain bytes without a header. */
export const SegmentKind = {
  plain: 0,
  array: 2,
  list: 3,
  lock: 4,
  rlock: 5,
  semaphore: 6,
  boundedSemaphore: 7,
  event: 8,
  rwlock: 9,
} as const;
export type SegmentKind = (typeof SegmentKind)[keyof typeof SegmentKind];

/** Bits of the fault guard's flags: native/platform/platform.h. */
export const GuardFlag = { damaged: 1, written: 2 } as const;

export interface SegmentRequest {
  /** The object's name in /dev/shm, or a file's path. */
  readonly name: string;
  readonly isPath: boolean;
  readonly kind: SegmentKind;
  /** What a buffer of this runtime can hold. */
  readonly sizeMax: number;
  readonly readOnly?: boolean;
  readonly reserve?: boolean;
  readonly mode?: number;
  /** Of plain bytes. */
  readonly size?: number;
  readonly id?: bigint;
  readonly elementType?: number;
  readonly elementBytes?: number;
  readonly shape?: readonly number[];
  /** What the data starts with, else zeros. For createSegment. */
  readonly bytes?: Uint8Array;
}

export interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
}

/** 'error': not if the name is taken. A file: only in its place, while it has the name. */
export type PublishHow = 'error' | 'replace' | FileIdentity;

/** What a header says. Bytes of a file: any number may be anything that fits. */
export interface SegmentFacts extends FileIdentity {
  readonly problem: '';
  readonly fileSize: number;
  /** Absent for plain bytes, as all that follows. */
  readonly id: bigint;
  readonly elementType: number;
  readonly elementBytes: number;
  readonly size: number;
  readonly shape: number[];
}

export interface OpenedSegment extends SegmentFacts {
  readonly index: number;
  /** Its place in `segmentFlags()`. */
  readonly guard: number;
  /** Exactly the data. One per segment, access mode and environment. */
  readonly buffer: ArrayBuffer;
}

export interface OpenedLock extends FileIdentity {
  readonly problem: '';
  readonly index: number;
  readonly id: bigint;
}

/** What is to be seen of a named lock that need not be open here. */
export interface NamedFacts {
  readonly problem: '';
  /** Of a lock: whoever alive holds it. Of a readers-writer lock: whoever writes. */
  readonly owner: OwnerInfo | null;
  /** Of a semaphore or readers-writer lock: as of monitorFields. */
  readonly fields: number[];
  readonly seats: readonly Pick<SeatFacts, 'owner' | 'low' | 'high'>[];
  /** Of an event. */
  readonly isSet: boolean;
}

export interface SegmentProblem extends FileIdentity {
  readonly problem:
    | ('too_short' | 'not_ours' | 'other_version' | 'other_kind' | 'unready' | 'abandoned')
    | ('damaged' | 'truncated' | 'too_big' | 'other_libc');
  /** The layout version found. */
  readonly version: number;
  readonly fileSize: number;
}

export interface SegmentBinding {
  createSegment(request: SegmentRequest, how: PublishHow): OpenedSegment;
  /** The same, with the reserving on a native thread. */
  createSegmentLater(
    request: SegmentRequest,
    how: PublishHow,
    done: (error: Error | null, opened: OpenedSegment | null) => void,
  ): void;
  openSegment(request: SegmentRequest): OpenedSegment | SegmentProblem;
  /** Reads the header only. */
  inspectSegment(request: SegmentRequest): SegmentFacts | SegmentProblem;
  /** One user less; the last one detaches the buffer and gives the mapping back. */
  closeSegment(index: number): void;
  syncSegment(index: number): void;
  /** Drops what was written to a read-only mapping. */
  restoreSegment(index: number): void;
  /** With a file: only if the name is still that file's (else ENOENT). */
  unlinkSegment(name: string, isPath: boolean, device?: bigint, inode?: bigint): void;
  /** Makes a lock (or another primitive, by its kind) of that name; EEXIST if there is something. */
  createNamedLock(request: SegmentRequest, units: number, bound: number): void;
  /** `index` is for the functions of locks. The same file has one index in an environment. */
  openNamedLock(request: SegmentRequest, environmentId: number): OpenedLock | SegmentProblem;
  closeNamedLock(index: number): void;
  /** In a forked process, of a lock that was open: a place of its own. Throws if its file is not to be found. */
  enterNamedAgain(index: number, request: SegmentRequest, environmentId: number): void;
  namedLockFacts(request: SegmentRequest): NamedFacts | SegmentProblem;
  /** The names of all shared memory objects. */
  listSegments(): string[];
  segmentFlags(): ArrayBuffer;
  /** For tests of leaks: mappings of the process, buffers of this environment. */
  segmentCensus(): { mappings: number; buffers: number };
}
