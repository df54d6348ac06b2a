// The shared layout as JavaScript sees it. A change here is a new layout version: see native/core/layout.h.
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { head } from '../support/sync.js';

const golden = {
  version: 2,
  offsets: {
    'SegmentHeader.magic': 0,
    'SegmentHeader.layout_version': 4,
    'SegmentHeader.kind': 8,
    'SegmentHeader.state': 12,
    'SegmentHeader.size': 16,
    'SegmentHeader.id': 24,
    'SegmentHeader.pid_namespace': 32,
    'SegmentHeader.creator_pid': 40,
    'SegmentHeader.token_layout': 44,
    'SegmentHeader.creator_fd': 48,
    'ArenaHeader.participant_high': 0,
    'ArenaHeader.slots_reserved': 4,
    'ArenaHeader.free_hint': 8,
    'ExtentClass.spares': 0,
    'ExtentClass.cursor': 4,
    'ExtentClass.hint': 8,
    'HeapHeader.used': 0,
    'HeapHeader.small_next': 8,
    'HeapHeader.warm': 16,
    'HeapHeader.classes': 64,
    'Participant.token': 0,
    'Participant.state': 64,
    'Participant.dropping': 68,
    'Participant.regions': 72,
    'Participant.pid': 76,
    'Participant.thread': 80,
    'Participant.environment': 84,
    'Participant.start_time': 88,
    'Participant.pid_namespace': 96,
    'Participant.waits': 104,
    'Participant.name': 128,
    'Slot.header': 0,
    'Slot.word': 8,
    'Slot.claim': 12,
    'Slot.value': 16,
    'Slot.detail': 24,
    'Slot.extent_class': 28,
    'Slot.extent': 32,
    'Slot.bytes': 40,
    'Slot.warm': 48,
    'Slot.blocked_on': 56,
    'Monitor.latch': 8,
    'Monitor.first_seat': 12,
    'Monitor.detail': 24,
    'Monitor.extent_class': 28,
    'Monitor.waiting': 32,
    'Monitor.ticket': 36,
    'Monitor.field': 40,
    'Seat.never_locked': 8,
    'Seat.next': 12,
    'Seat.hold': 16,
    'Seat.monitor': 24,
    'Seat.extent_class': 28,
    'Seat.bell': 32,
    'Seat.heard': 36,
    'Seat.owner': 40,
    'Seat.ticket': 44,
    'Seat.since': 48,
    'Seat.notified': 52,
    'Seat.blocked_on': 56,
    'ArenaHeader.keeper_high': 12,
    'Keeper.object': 0,
    'Keeper.changer': 8,
    'Keeper.regions': 12,
    'PipeRing.tail': 0,
    'PipeRing.tail_awaited': 4,
    'PipeRing.carried': 8,
    'PipeRing.head': 128,
    'PipeRing.head_awaited': 132,
    'PipeBlock.units': 0,
    'PipeBlock.rings': 4,
    'PipeBlock.keeper': 8,
    'PipeBlock.doubt': 12,
    'PipeBlock.ring': 128,
    'PipeEnd.sender': 8,
    'PipeEnd.receiver': 12,
    'PipeEnd.side': 16,
    'PipeEnd.other': 32,
    'PipeEnd.other_header': 36,
  },
  slotsBytes: 67108864,
  slotBytes: 64,
  kindLock: 2,
  kindValue: 3,
  kindArray: 4,
  kindList: 5,
  kindSemaphore: 6,
  kindRWLock: 7,
  kindCondition: 8,
  kindBarrier: 9,
  kindEvent: 10,
  kindQueue: 12,
  kindRing: 13,
  kindPipe: 14,
  kindPipeEnd: 15,
  kindParcel: 16,
  pipeBlockBytes: 640,
  pipeRingBytes: 256,
  queueBlockBytes: 128,
  ownerMask: 0x3fffffff,
  abandonedOwner: 4096,
};

test('the layout is what it was', async () => {
  expect(await runJson(`${head} out(native.layout);`)).toEqual(golden);
});

test('the arena has the layout it says, where it says', async () => {
  const got = await runJson(`${head}
    import { readSync, fstatSync } from 'node:fs';
    const lock = new mp.Lock(), value = new mp.Value('i', -5);
    lock.acquireSync(); lock.acquire();
    const { fd, id } = native.arenaInfo();
    const at = (offset, bytes) => { const b = Buffer.alloc(bytes); readSync(fd, b, 0, bytes, offset); return b };
    const header = at(0, 128), participant = at(4096 + 192, 192), slots = (1025 << 20) + 64;
    const slotOf = (x) => at((1025 << 20) + 64 * mp.share(x).slot, 64);
    const l = slotOf(lock), v = slotOf(value), h = mp.share(lock);
    out([
      header.readUInt32LE(0), header.readUInt32LE(4), header.readUInt32LE(8), header.readUInt32LE(12), Number(header.readBigUInt64LE(16)) === fstatSync(fd).size,
      header.readBigUInt64LE(24) === id, header.readUInt32LE(40) === process.pid, header.readUInt32LE(64), header.readUInt32LE(68),
      participant.readUInt32LE(64) & 1, participant.readUInt32LE(76) === process.pid, participant.readUInt32LE(84), participant.toString('latin1', 128, 140),
      l.readUInt32LE(0) === ((h.generation << 8) | native.layout.kindLock) >>> 0, (l.readUInt32LE(8) & native.layout.ownerMask) !== 0, l.readUInt32LE(24),
      v.readUInt32LE(8), v.readInt32LE(16), v.readUInt32LE(24),
    ]);
    process.exit(0);`);
  expect(got).toEqual([
    ...[0x4d50524f, 2, 1, 1, true, true, true, 1, 1024],
    ...[1, true, 0, 'MainProcess\0'],
    ...[true, true, 0, 0, -5, 4],
  ]);
});
