/**
 * The wait-for graph of the tree, as it lies in shared memory.
 *
 *   edge (blocked_on)   bits  63        62..50   49..20     19..0
 *                             looking   turn     owner id   slot of the object waited for; 0: no edge
 *
 * G1  An edge at the slot of a lock, or at a holder's seat of a semaphore or readers-writer lock, says: that owner does not
 *     give this back before it gets what it waits for. It counts only while that owner holds it and lives.
 * G2  Written by the owner, before it looks at the graph and before it sleeps; taken back when its wait ends. So of those
 *     that close a cycle the last one to write sees all of it.
 * G3  The turn is another one each time: an edge read twice with the same turn stood all the while. A cycle counts when all
 *     of it was read twice, unchanged: then there was a moment at which it was whole, and a cycle does not go by itself.
 * G4  While its owner still looks for a cycle an edge says so. Of those that look at one cycle at the same time the greatest
 *     owner id reports it; the others see it go.
 * Death  of the owner: G1.
 */
import type { DeadlockStep } from '../errors.js';
import { me, slotWords } from '../memory/arena.js';
import { native } from '../native/load.js';
import { kindAt, slotText } from './object-text.js';
import { type Owner, toOwner } from './owner.js';

const { layout } = native;
const { ownerMask, abandonedOwner } = layout;
const wordsPerSlot = layout.slotBytes / 4;
const lockWord = layout.offsets['Slot.word']! / 4;
const totalWord = layout.offsets['Monitor.field']! / 4 + 1;
const edgeAt = layout.offsets['Slot.blocked_on']! / 8;
const unitsMask = (1 << 30) - 1;
const seatStateMask = 3 << 30;
const seatWaits = 1 << 30;
const insideMask = (1 << 29) - 1; // reads and the write of a readers-writer lock

const slotMask = (1n << 20n) - 1n;
const turns = 1 << 13;
const looking = 1n << 63n;

let words = new BigUint64Array(0);
let turn = 0;

function edges(): BigUint64Array {
  if (words.buffer !== slotWords.buffer) words = new BigUint64Array(slotWords.buffer);
  return words;
}

/** An edge that was written, for its removal. */
export interface Edge {
  readonly slot: number;
  value: bigint;
  readonly before: bigint;
}

/** Says of what lies at a slot that we keep it until we have what lies at another. */
export function writeEdge(slot: number, target: number): Edge {
  turn = (turn + 1) % turns;
  const value = looking | (BigInt(turn) << 50n) | (BigInt(me) << 20n) | BigInt(target);
  return { slot, value, before: Atomics.exchange(edges(), slot * 8 + edgeAt, value) };
}

/** We wait from now on, and look no more (G4). */
function settleEdge(edge: Edge): void {
  const { slot, value } = edge;
  edge.value = value & ~looking;
  Atomics.compareExchange(edges(), slot * 8 + edgeAt, value, edge.value);
}

/** Takes an edge back; `restore` what was there before. */
export function removeEdge({ slot, value, before }: Edge, restore: boolean): void {
  Atomics.compareExchange(edges(), slot * 8 + edgeAt, value, restore ? before : 0n);
}

/** What lies at a slot is held anew: no edge of an earlier time counts. */
export function clearEdge(slot: number): void {
  const at = slot * 8 + edgeAt;
  if (edges()[at] !== 0n) Atomics.store(edges(), at, 0n);
}

interface Holder {
  readonly owner: number;
  readonly edge: bigint;
  /** 0: it can go on. */
  readonly target: number;
}
interface Node {
  readonly slot: number;
  readonly holders: Holder[];
  /** Whether all holders must be stuck for nobody to get it; else one is enough. */
  readonly all: boolean;
}

function holder(owner: number, edge: bigint, counts = true): Holder {
  const valid = counts && Number((edge >> 20n) & BigInt(ownerMask)) === owner;
  return { owner, edge, target: valid ? Number(edge & slotMask) : 0 };
}

function readLock(slot: number): Node | null {
  const owner = Atomics.load(slotWords, slot * wordsPerSlot + lockWord) & ownerMask;
  if (owner === 0 || owner === abandonedOwner || !native.ownerAlive(owner)) return null;
  const edge = Atomics.load(edges(), slot * 8 + edgeAt);
  return { slot, holders: [holder(owner, edge)], all: true };
}

function readSemaphore(slot: number): Node | null {
  const base = slot * wordsPerSlot;
  const total = Atomics.load(slotWords, base + totalWord);
  let units = 0;
  const holders: Holder[] = [];
  for (const seat of native.monitorSeats(slot)) {
    const held = seat.low & unitsMask;
    if (held === 0) continue;
    units += held;
    const state = seat.low & seatStateMask;
    // A unit that was granted and not yet taken: nobody can say that it will be kept.
    holders.push(holder(seat.id, seat.blockedOn, state === 0 || state === seatWaits));
  }
  // Fewer: a unit is free, or on its way. None at all: it is for signalling.
  return units > 0 && units === total ? { slot, holders, all: true } : null;
}

function readRWLock(slot: number): Node | null {
  const inside = native.monitorSeats(slot).filter(({ low }) => (low & insideMask) !== 0);
  // Who waits is behind a writer that waits for every reader, or behind the writer that is in: one that stays is enough.
  return inside.length === 0
    ? null
    : { slot, holders: inside.map(({ id, blockedOn }) => holder(id, blockedOn)), all: false };
}

function readNode(slot: number): Node | null {
  const kind = kindAt(slot);
  if (kind === layout.kindSemaphore) return readSemaphore(slot);
  if (kind === layout.kindRWLock) return readRWLock(slot);
  const isLock = [layout.kindLock, layout.kindValue, layout.kindArray, layout.kindList].includes(kind);
  return isLock ? readLock(slot) : null;
}

/** Everything that can be reached from an object and that nobody will ever get. */
function stuckFrom(wanted: number): Map<number, Node> {
  const nodes = new Map<number, Node>();
  const seen = new Set([wanted]);
  for (const slot of seen) {
    const node = readNode(slot);
    if (node === null) continue;
    nodes.set(slot, node);
    for (const { target } of node.holders) if (target !== 0) seen.add(target); // the loop comes to it
  }
  const isStuck = ({ target }: Holder): boolean => nodes.has(target);
  for (let before = -1; before !== nodes.size;) {
    before = nodes.size;
    for (const [slot, { holders, all }] of nodes) {
      if (!(all ? holders.every(isStuck) : holders.some(isStuck))) nodes.delete(slot);
    }
  }
  return nodes;
}

interface Link {
  readonly slot: number;
  readonly owner: number;
  readonly edge: bigint;
}

/** The way from an object to one that we hold ourselves. */
function wayBack(nodes: Map<number, Node>, wanted: number, ours: Set<bigint>): Link[] | null {
  const seen = new Set<number>();
  const walk = (slot: number): Link[] | null => {
    const node = nodes.get(slot);
    if (node === undefined || seen.has(slot)) return null;
    seen.add(slot);
    for (const { owner, edge, target } of node.holders) {
      if (ours.has(edge)) return [{ slot, owner, edge }];
      const rest = target === 0 ? null : walk(target);
      if (rest !== null) return [{ slot, owner, edge }, ...rest];
    }
    return null;
  };
  return walk(wanted);
}

function signature(nodes: Map<number, Node>): string {
  return [...nodes.values()]
    .map(({ slot, holders }) => `${slot}:${holders.map(({ owner, edge }) => `${owner}=${edge}`).join()}`)
    .join(' ');
}

const looksMax = 100;

/** The way back, read twice unchanged (G3). */
function standingWay(wanted: number, ours: Set<bigint>): Link[] | null {
  let last = '';
  for (let look = 0; look < looksMax; look++) {
    const nodes = stuckFrom(wanted);
    const way = wayBack(nodes, wanted, ours);
    if (way === null) return null;
    const now = signature(nodes);
    if (now === last) return way;
    last = now;
  }
  return null; // somebody goes on all the time
}

/** A rival is given so long to report, in case it is not running right now. */
const rivalMs = 250;
const nap = new Int32Array(new SharedArrayBuffer(4));

/** The cycle that a wait for an object closes, the waiting task first; null: there is none. `ours`: the edges we wrote. */
export function findCycle(wanted: number, ours: readonly Edge[]): DeadlockStep[] | null {
  const values = new Set(ours.map(({ value }) => value));
  const until = performance.now() + rivalMs;
  for (;;) {
    const way = standingWay(wanted, values);
    if (way === null) break;
    const rival = way.some(({ owner, edge }) => (edge & looking) !== 0n && owner > me); // G4
    const steps = rival && performance.now() < until ? null : describe(wanted, way);
    if (steps !== null) return steps;
    Atomics.wait(nap, 0, 0, 0.1);
  }
  for (const edge of ours) settleEdge(edge);
  return null;
}

function describe(wanted: number, way: Link[]): DeadlockStep[] | null {
  const ours = way.at(-1)!;
  const links = [{ slot: ours.slot, owner: ours.owner, next: wanted }];
  way.slice(0, -1).forEach(({ slot, owner }, i) => links.push({ slot, owner, next: way[i + 1]!.slot }));
  const steps: DeadlockStep[] = [];
  for (const { slot, owner, next } of links) {
    const who: Owner | null = toOwner(native.ownerInfo(owner));
    if (who === null) return null; // it has just ended
    steps.push({ owner: who, holds: slotText(slot), waitsFor: slotText(next) });
  }
  return steps;
}
