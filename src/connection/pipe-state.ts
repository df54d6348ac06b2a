/**
 * What one environment has of a pipe's end: native/core/pipe.h says what the words mean and who may write them.
 *
 * Plain messages are written and read here, straight in shared memory. Only those that refer to something (shared objects,
 * parcels) go through native code, and sleeping, and waking.
 */
import { ClosedError, MultiprocessingError } from '../errors.js';
import { Memory } from '../codec/memory.js';
import { cas, me, ownOwnerId, type Reference, slotWords, sweepDead } from '../memory/arena.js';
import { Block } from '../memory/block.js';
import { incoming, out } from '../message/buffers.js';
import { MessageReader } from '../message/reader.js';
import { headBytes, meta, padded, recordBytesMax } from '../message/record.js';
import { MessageWriter } from '../message/writer.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { type PipeWait, QueueResult } from '../native/message-binding.js';
import { describeOwner, ownerText } from '../sync/owner.js';
import type { LocalState, SyncState } from '../sync/sync-handle.js';
import { type Bell, WaitLine } from '../sync/wait-line.js';
import { brokenPipe, endOfStream } from './ended.js';

const { layout } = native;
const { offsets } = layout;
const wordsPerSlot = layout.slotBytes / 4;
const unitBytes = 8;
const blockHead = offsets['PipeBlock.ring']! + 2 * ringHead();
/** In 32-bit words. */
const sender = offsets['PipeEnd.sender']! / 4;
const receiver = offsets['PipeEnd.receiver']! / 4;
const header = offsets['Slot.header']! / 4;

function ringHead(): number {
  return 256;
}

export const pipeBlockBytes = (rings: number, ringBytes: number): number => blockHead + rings * ringBytes;

/** The other end, as it was when the pipe was made. */
export interface OtherEnd {
  readonly slot: number;
  /** The low half of its slot's header: generation and kind. */
  readonly header: number;
}

const writer = new MessageWriter();
const reader = new MessageReader();
