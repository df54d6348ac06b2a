/** The options of Listener() and Client(), checked in one place. */
import { rangeError, show, typeError } from '../native/arguments.js';
import type { Address } from './address.js';

export interface ConnectionOptions {
  /**
   * A secret that both sides know. Each proves that it does, without sending it, before anything else is read. Without one,
   * whoever reaches the address is connected.
   */
  authkey?: string | Uint8Array | undefined;
  /** Milliseconds that the other side has for its part of that. 10,000 by default. */
  handshakeTimeout?: number | undefined;
  /** The longest message that is received, in bytes: 1 GiB by default. */
  maxMessage?: number | undefined;
}

export interface ListenerOptions extends ConnectionOptions {
  /** Where to listen. A path of its own, in a directory that only this user can enter, by default. */
  address?: Address | undefined;
  /** How many clients may wait to be accepted; 128 by default. */
  backlog?: number | undefined;
  /** What to do with the socket file that a listener which was killed left behind: 'error' by default. */
  ifAbandoned?: 'error' | 'replace' | undefined;
}

export interface Checked {
  authkey: Uint8Array | null;
  handshakeTimeout: number;
  maxMessage: number;
}

export function checkOptions(options: unknown, what: string): Checked {
  if (typeof options !== 'object' || options === null)
    throw typeError(`${what}: expects { authkey, … }, not ${show(options)}`);
  const { authkey, handshakeTimeout = 10_000, maxMessage = 2 ** 30 } = options as ConnectionOptions;
  if (typeof handshakeTimeout !== 'number')
    throw typeError(
      `${what}: handshakeTimeout must be a number of milliseconds, not ${show(handshakeTimeout)}`,
    );
  if (!(handshakeTimeout > 0))
    throw rangeError(`${what}: handshakeTimeout must be more than 0 milliseconds, not ${handshakeTimeout}`);
  wholeNumber(maxMessage, 'maxMessage', what);
  return { authkey: keyOf(authkey, what), handshakeTimeout, maxMessage };
}

function keyOf(authkey: unknown, what: string): Uint8Array | null {
  if (authkey === undefined || authkey === null) return null;
  if (typeof authkey === 'string') return Buffer.from(authkey);
  // A copy: the caller may wipe its own.
  if (authkey instanceof Uint8Array) return Uint8Array.from(authkey);
  throw typeError(`${what}: authkey must be a string or a Uint8Array, not ${show(authkey)}`);
}

export function wholeNumber(value: unknown, name: string, what: string): void {
  if (typeof value !== 'number') throw typeError(`${what}: ${name} must be a number, not ${show(value)}`);
  if (!Number.isInteger(value) || value < 0)
    throw rangeError(`${what}: ${name} must be 0 or a positive integer, not ${value}`);
}
