/** Connecting to a listener. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MultiprocessingError, TimeoutError } from '../errors.js';
import { rangeError } from '../native/arguments.js';
import { errnoOf, orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import type { SocketName } from '../native/socket-binding.js';
import { waitLater } from '../sync/wait-later.js';
import { parseWait, type Wait, type WaitOptions } from '../sync/wait-options.js';
import { type Address, addressText, parseAddress, systemNames } from './address.js';
import type { Connection } from './connection.js';
import { authenticate } from './handshake.js';
import { checkOptions, type ConnectionOptions } from './options.js';
import { Socket } from './socket.js';
import { SocketConnection } from './socket-connection.js';

export interface ClientOptions extends ConnectionOptions, WaitOptions {}

const what = 'Client()';
/** Where too many clients wait to be accepted the system says so, and nothing tells when that is over. */
const lookAgain = 10;

/**
 * Connects to a {@link Listener}, of this package or of Python's multiprocessing, and proves the authkey.
 * @throws `ERR_MP_CONNECT` if nobody listens there, AuthenticationError if the two sides do not have the same authkey or
 * nobody accepts there within `handshakeTimeout`, TimeoutError, the signal's reason
 */
export async function Client(address: Address, options: ClientOptions = {}): Promise<Connection> {
  const place = parseAddress(address, what);
  const { authkey, handshakeTimeout, maxMessage } = checkOptions(options, what);
  const { timeout, signal } = parseWait({ timeout: options.timeout, signal: options.signal }, what);
  if (typeof place !== 'string' && (place[1] === 0 || place[0] === ''))
    throw rangeError(`${what}: a client needs the host and the port that the listener tells by its address`);
  signal?.throwIfAborted();
  const deadline = performance.now() + timeout;
  const left = (): Wait => {
    const wait: Wait = { timeout: Math.max(deadline - performance.now(), 0) };
    if (signal !== undefined) wait.signal = signal;
    return wait;
  };
  const text = addressText(place);
  const late = (): TimeoutError => new TimeoutError(`${what}: not connected to ${text} within ${timeout} ms`);
  const names = await systemNames(place, what);
  signal?.throwIfAborted();
  const socket = await connectToAny(names, left, text, late);
  const connection = new SocketConnection(socket, `the listener at ${text}`, maxMessage);
  if (authkey === null) return connection;
  const wait = left();
  const isShort = wait.timeout < handshakeTimeout;
  try {
    wait.timeout = Math.min(wait.timeout, handshakeTimeout);
    await authenticate(connection, authkey, 'client', wait, `${what}: the listener at ${text}`);
  } catch (error) {
    throw isShort && performance.now() >= deadline ? late() : error;
  }
  return connection;
}

async function connectToAny(
  names: SocketName[],
  left: () => Wait,
  text: string,
  late: () => TimeoutError,
): Promise<Socket> {
  let failure: unknown;
  for (const name of names) {
    try {
      return await connect(name, left, text, late);
    } catch (error) {
      if (!(error instanceof MultiprocessingError) || error.code !== 'ERR_MP_CONNECT') throw error;
      failure ??= error;
    }
  }
  throw failure;
}

async function connect(
  name: SocketName,
  left: () => Wait,
  text: string,
  late: () => TimeoutError,
): Promise<Socket> {
  const call = `${what}: cannot connect to ${text}`;
  let socket: Socket | undefined;
  while (socket === undefined) {
    try {
      socket = new Socket(orFail('ERR_MP_CONNECT', call, () => native.socketConnect(...name)));
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') throw explained(error, call);
      const { timeout, signal } = left();
      if (timeout === 0) throw late();
      await sleep(Math.min(lookAgain, timeout), undefined, { signal }).catch(() => signal?.throwIfAborted());
    }
  }
  const made = socket;
  const isConnected = (): boolean => orFail('ERR_MP_CONNECT', call, () => native.socketConnected(made.fd));
  try {
    if (isConnected()) return made;
    await waitLater<undefined>({
      handle: made,
      ...{ signal: undefined, ...left() },
      begin(task) {
        made.user = {
          ready() {
            try {
              if (!isConnected()) return;
              made.watch(false, false);
              task.done(undefined);
            } catch (error) {
              task.fail(error);
            }
          },
          forked: () => undefined,
        };
        made.watch(false, true);
      },
      timedOut(task) {
        task.fail(late());
      },
      aborted(task, reason) {
        task.fail(reason);
      },
    });
    return made;
  } catch (error) {
    made.close();
    throw explained(error, call);
  }
}

/** The system's sentence, and what it means here. */
function explained(error: unknown, call: string): unknown {
  const errno = errnoOf(error);
  if (!(error instanceof MultiprocessingError) || error.code !== 'ERR_MP_CONNECT') return error;
  if (errno === 'ENOSYS')
    return new MultiprocessingError('ERR_MP_UNSUPPORTED', `${call}: not supported on this system yet`, {
      cause: error,
    });
  const remedy =
    errno === 'ECONNREFUSED'
      ? '; nobody listens there (any more)'
      : errno === 'ENOENT'
        ? '; there is no listener of that name: start it first'
        : '';
  if (remedy === '') return error;
  const { syscall } = error;
  return new MultiprocessingError('ERR_MP_CONNECT', error.message + remedy, {
    cause: error,
    errno: errno!,
    ...(syscall === undefined ? {} : { syscall }),
  });
}
