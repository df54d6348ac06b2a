/** The start of every script that tests locks and values. */
import { fixtures } from './child.js';

export const head = `
import * as mp from 'multiproc';
import * as peers from '${new URL('peers.mjs', fixtures).href}';
import { native } from '${new URL('../../lib/native/load.js', import.meta.url).href}';
const { startPeer } = peers;
const out = (value) => console.log(JSON.stringify(value));
const nameOf = (e) => (e.name === 'MultiprocessingError' ? e.code : e.name + ' ' + e.code);
/** What a call throws: 'RangeError ERR_MP_RANGE', or the bare code of a plain MultiprocessingError; 'fine' if nothing. */
const thrown = (f) => { try { f(); return 'fine' } catch (e) { return nameOf(e) } };
const rejected = (p) => Promise.resolve(p).then(() => 'fine', nameOf);
/** Several turns of the event loop: what was about to settle has settled. */
const turns = async (n = 5) => { for (let i = 0; i < n; i++) await new Promise((r) => setImmediate(r)) };
/** Resolves when a claim holds. Inside the test's watchdog. */
const until = async (claim) => { while (!claim()) await new Promise((r) => setTimeout(r, 1)) };
`;

/** Where peers run: the same test body on both. */
export const grounds = ['process', 'thread'] as const;

export const typeError = 'TypeError ERR_MP_TYPE';
export const rangeError = 'RangeError ERR_MP_RANGE';
export const timeoutError = 'TimeoutError ERR_MP_TIMEOUT';
export const closedError = 'ClosedError ERR_MP_CLOSED';
export const deadlockError = 'DeadlockError ERR_MP_DEADLOCK';

/** The head of scripts whose peers' bodies are written in the test: start(ground, body, ...args). */
export const bodyHead = `${head}
import { start } from '${new URL('bodies.mjs', fixtures).href}';
/** A count that all peers see, 0 at first. */
const count = () => new mp.Value('i', 0);
/** Holds up this thread, its event loop as well, until a claim holds. */
const spin = (claim) => { while (!claim()); };
`;
