/**
 * How two sides prove to each other that they know the same key, without sending it: CPython's protocol, in its form since
 * 3.12 (a digest named in braces) and before (20 random bytes, an HMAC-MD5).
 *
 *   listener: #CHALLENGE#{sha256}random      client: {sha256}hmac(key, {sha256}random)      listener: #WELCOME#
 *   client:   #CHALLENGE#{sha256}random      listener: …                                    client: #WELCOME#
 *
 * Any other answer is told by #FAILURE# and ends the connection. Nothing is decoded here, and no message is longer than 256
 * bytes.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { AuthenticationError, ClosedError, MultiprocessingError, TimeoutError } from '../errors.js';
import type { Wait } from '../sync/wait-options.js';

const longestMessage = 256;
const challengeHead = Buffer.from('#CHALLENGE#');
const welcome = Buffer.from('#WELCOME#');
const nothing = Buffer.alloc(0);
const failure = Buffer.from('#FAILURE#');
const challengeBytes = 40;
/** Of a challenge, or an answer, that names no digest. */
const oldLengths = [20, 16];
/** As Python and as OpenSSL name them. */
const digests = new Map([
  ['md5', 'md5'],
  ['sha256', 'sha256'],
  ['sha384', 'sha384'],
  ['sha3_256', 'sha3-256'],
  ['sha3_384', 'sha3-384'],
]);

export function isChallenge(message: Buffer): boolean {
  return message.length <= longestMessage && message.subarray(0, challengeHead.length).equals(challengeHead);
}

export function isFailure(message: Buffer): boolean {
  return message.equals(failure);
}

/** What two sides say: yields what is to be sent, and null for what is to be received. */
type Talk = Generator<Uint8Array | null, void, Buffer>;

function* handshake(key: Uint8Array, side: 'listener' | 'client'): Talk {
  if (side === 'listener') yield* challenge(key);
  yield* answer(key);
  if (side === 'client') yield* challenge(key);
}

function* challenge(key: Uint8Array): Talk {
  const question = Buffer.concat([Buffer.from('{sha256}'), randomBytes(challengeBytes)]);
  yield Buffer.concat([challengeHead, question]);
  const { digest, rest } = digestOf(yield null, 'its answer');
  const right = mac(digest ?? 'md5', key, question);
  if (rest.length !== right.length || !timingSafeEqual(rest, right))
    throw new AuthenticationError('it has another authkey');
  yield welcome;
}

function* answer(key: Uint8Array): Talk {
  const message: Buffer = yield null;
  if (!isChallenge(message)) throw new AuthenticationError('it asks for no authkey: only this side has one');
  const question = message.subarray(challengeHead.length);
  if (question.length < 20) throw new AuthenticationError('its challenge is too short to be safe');
  const { digest } = digestOf(question, 'its challenge');
  const right = mac(digest ?? 'md5', key, question);
  yield digest === null ? right : Buffer.concat([Buffer.from(`{${digest}}`), right]);
  if (!(yield null).equals(welcome)) throw new AuthenticationError('it has refused our authkey');
}

function digestOf(message: Buffer, what: string): { digest: string | null; rest: Buffer } {
  if (oldLengths.includes(message.length)) return { digest: null, rest: message };
  const name = /^\{([a-z0-9_]{1,8})\}/.exec(message.toString('latin1'))?.[1];
  if (name === undefined || !digests.has(name)) {
    throw new AuthenticationError(
      `${what} names no digest that is allowed: ${[...digests.keys()].join(', ')}`,
    );
  }
  return { digest: name, rest: message.subarray(name.length + 2) };
}

function mac(digest: string, key: Uint8Array, message: Buffer): Buffer {
  try {
    return createHmac(digests.get(digest)!, key).update(message).digest();
  } catch (cause) {
    // A system in FIPS mode, of MD5.
    throw new AuthenticationError(`this Node has no ${digest}, which the other side uses`, { cause });
  }
}

/** What a handshake needs of a connection. */
export interface Partner {
  readMessage(maxLength: number, wait: Wait, what: string): Promise<Buffer>;
  readMessageSync(maxLength: number, timeout: number, what: string): Buffer;
  writeMessage(bytes: Uint8Array, wait: Wait, what: string): Promise<void>;
  writeMessageSync(bytes: Uint8Array, timeout: number, what: string): void;
  /** From now on a message that looks like one of a handshake is a message. */
  expectHandshake(): void;
  close(): void;
}

/** Does the handshake, and closes the connection if it fails. `who` begins the error's message. */
export async function authenticate(
  partner: Partner,
  key: Uint8Array,
  side: 'listener' | 'client',
  { timeout, signal }: Wait,
  who: string,
): Promise<void> {
  const deadline = performance.now() + timeout;
  const talk = handshake(key, side);
  partner.expectHandshake();
  const wait = (): Wait => {
    const left = Math.max(deadline - performance.now(), 0);
    return signal === undefined ? { timeout: left } : { timeout: left, signal };
  };
  try {
    let step = talk.next();
    while (step.done !== true) {
      let heard: Buffer = nothing;
      if (step.value === null) heard = await partner.readMessage(longestMessage, wait(), who);
      else await partner.writeMessage(step.value, wait(), who);
      step = talk.next(heard);
    }
  } catch (error) {
    giveUp(partner, error);
    throw signal?.aborted === true ? error : reasonOf(error, timeout, who);
  }
}

/** The same, blocking this thread. */
export function authenticateSync(
  partner: Partner,
  key: Uint8Array,
  side: 'listener' | 'client',
  timeout: number,
  who: string,
): void {
  const deadline = performance.now() + timeout;
  const talk = handshake(key, side);
  partner.expectHandshake();
  const left = (): number => Math.max(deadline - performance.now(), 0);
  try {
    let step = talk.next();
    while (step.done !== true) {
      let heard: Buffer = nothing;
      if (step.value === null) heard = partner.readMessageSync(longestMessage, left(), who);
      else partner.writeMessageSync(step.value, left(), who);
      step = talk.next(heard);
    }
  } catch (error) {
    giveUp(partner, error);
    throw reasonOf(error, timeout, who);
  }
}

/** Tells the other side, if it can still hear, also one that has no authkey and expects no handshake. */
function giveUp(partner: Partner, error: unknown): void {
  if (!(error instanceof ClosedError))
    partner.writeMessage(failure, { timeout: 0 }, '').catch(() => undefined);
  partner.close();
}

function reasonOf(error: unknown, timeout: number, who: string): unknown {
  const reason = (text: string, cause?: unknown): AuthenticationError =>
    new AuthenticationError(`${who}: ${text}`, cause === undefined ? undefined : { cause });
  if (error instanceof AuthenticationError) return reason(error.message, error.cause);
  if (error instanceof TimeoutError)
    return reason(
      `it did not authenticate itself within ${timeout} ms: it has no authkey, or nobody accepts there (handshakeTimeout)`,
    );
  if (error instanceof ClosedError) return reason('it went away before it had authenticated itself', error);
  if (error instanceof MultiprocessingError && /^ERR_MP_(TOO_LONG|DAMAGED)$/.test(error.code))
    return reason('it does not speak this protocol', error);
  return error;
}
