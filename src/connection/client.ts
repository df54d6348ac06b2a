/** Connecting to a listener. */
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MultiprocessingError, TimeoutError } from '../errors.js';
import { rangeError, show } from '../native/arguments.js';
import { errnoOf, orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { type SocketName, socketWaited } from '../native/socket-binding.js';
import { interrupted } from '../sync/interrupted.js';
import { waitLater } from '../sync/wait-later.js';
import {
  parseSyncWait,
  parseWait,
  type SyncWaitOptions,
  type Wait,
  type WaitOptions,
} from '../sync/wait-options.js';
import { type Address, addressText, parseAddress, systemNames } from './address.js';
import type { Connection } from './connection.js';
import { authenticate, authenticateSync } from './handshake.js';
import { type Checked, checkOptions, type ConnectionOptions } from './options.js';
import { Socket } from './socket.js';
import { SocketConnection } from './socket-connection.js';

export interface SyncClientOptions extends ConnectionOptions {
  /** Milliseconds for all of it: finding the host, connecting, authentication. `Infinity` by default. */
  timeout?: SyncWaitOptions['timeout'];
}
export interface ClientOptions extends SyncClientOptions {
  /** Ends it when it is aborted: the call rejects with its `reason`. */
  signal?: WaitOptions['signal'];
}

/** Where too many clients wait to be accepted the system says so at once, and nothing tells when that is over. */
const lookAgainMs = 10;

/** One attempt of a client to be connected. */
class Attempt {
  readonly address: Address;
  readonly options: Checked;
  readonly #what: string;
  readonly #timeout: number;
  readonly #signal: AbortSignal | undefined;
  readonly #deadline: number;

  constructor(address: Address, options: ClientOptions, { timeout, signal }: Wait, what: string) {
    this.#what = what;
    this.address = parseAddress(address, what);
    this.options = checkOptions(options, what);
    if (typeof this.address !== 'string' && (this.address[0] === '' || this.address[1] === 0))
      throw rangeError(`${what}: needs the host and the port where a listener is: its address tells both`);
    this.#timeout = timeout;
    this.#signal = signal;
    this.#deadline = performance.now() + timeout;
  }

  get #text(): string {
    return addressText(this.address);
  }

  get leftMs(): number {
    return Math.max(this.#deadline - performance.now(), 0);
  }

  get left(): Wait {
    const signal = this.#signal;
    return { timeout: this.leftMs, ...(signal === undefined ? {} : { signal }) };
  }

  get late(): TimeoutError {
    return new TimeoutError(`${this.#what}: not connected to ${this.#text} within ${this.#timeout} ms`);
  }

  /** Begins to connect; null: too many wait there. */
  begin(name: SocketName): Socket | null {
    return this.#explained(() => {
      try {
        return new Socket(native.socketConnect(...name));
      } catch (error) {
        if (errnoOf(error) === 'EAGAIN') return null;
        throw error;
      }
    });
  }

  isConnected({ fd }: Socket): boolean {
    return this.#explained(() => native.socketConnected(fd));
  }

  connection(socket: Socket): SocketConnection {
    return new SocketConnection(socket, `the listener at ${this.#text}`, this.options.maxMessage);
  }

  /** Runs the handshake, within the time that there is for it and for all. */
  handshake<T>(run: (wait: Wait, who: string) => T, failed: (error: unknown) => T): T {
    const { left } = this;
    const isShort = left.timeout < this.options.handshakeTimeout;
    const timeout = Math.min(left.timeout, this.options.handshakeTimeout);
    const end = (error: unknown): T => failed(isShort && this.leftMs === 0 ? this.late : error);
    try {
      const running = run({ ...left, timeout }, `${this.#what}: the listener at ${this.#text}`);
      return running instanceof Promise ? (running.catch(end) as T) : running;
    } catch (error) {
      return end(error);
    }
  }

  /** The system's sentence, and what it means here. */
  #explained<T>(call: () => T): T {
    const what = `${this.#what}: cannot connect to ${this.#text}`;
    try {
      return orFail('ERR_MP_CONNECT', what, call);
    } catch (error) {
      const remedy = remedies[errnoOf(error) ?? ''];
      if (remedy !== undefined && error instanceof Error) error.message += `; ${remedy}`;
      throw errnoOf(error) === 'ENOSYS' ? unsupported(what, error) : error;
    }
  }
}

const remedies: Record<string, string | undefined> = {
  ECONNREFUSED: 'nobody listens there, or not any more',
  ENOENT: 'there is no such listener: start it first',
};

export function unsupported(what: string, cause: unknown): MultiprocessingError {
  return new MultiprocessingError('ERR_MP_UNSUPPORTED', `${what}: not supported on this system yet`, {
    cause,
  });
}

/**
 * Connects to a {@link Listener}, of this package or of Python's multiprocessing, and proves the authkey.
 * @throws `ERR_MP_CONNECT` if nobody listens there; AuthenticationError if the two sides do not have the same authkey, or
 * nobody accepts there within `handshakeTimeout`; TimeoutError, the signal's reason
 */
export async function Client(address: Address, options: ClientOptions = {}): Promise<Connection> {
  const what = 'Client()';
  const wait = parseWait(waitOf(options), what);
  const attempt = new Attempt(address, options, wait, what);
  wait.signal?.throwIfAborted();
  const names = await waitLater<SocketName[]>({
    handle: attempt,
    timeout: wait.timeout,
    signal: wait.signal,
    begin(task) {
      systemNames(attempt.address, 'ERR_MP_CONNECT', what).then(
        (found) => {
          task.done(found);
        },
        (error: unknown) => {
          task.fail(error);
        },
      );
    },
    timedOut(task) {
      task.fail(attempt.late);
    },
    aborted(task, reason) {
      task.fail(reason);
    },
  });
  const connection = attempt.connection(await firstOf(names, (name) => connect(name, attempt)));
  const { authkey } = attempt.options;
  if (authkey === null) return connection;
  await attempt.handshake(
    (left, who) => authenticate(connection, authkey, 'client', left, who),
    (error) => Promise.reject(error as Error),
  );
  return connection;
}

/**
 * The same, blocking this thread. A host is given by its IP address, or `localhost`: names are looked up on the event loop.
 * @throws InterruptedError, or as {@link Client}
 */
export function ClientSync(address: Address, options: SyncClientOptions = {}): Connection {
  const what = 'ClientSync()';
  const wait = parseSyncWait(waitOf(options), what);
  const attempt = new Attempt(address, options, wait, what);
  const connection = attempt.connection(connectSync(nameSync(attempt.address, what), attempt, what));
  const { authkey } = attempt.options;
  if (authkey === null) return connection;
  attempt.handshake(
    ({ timeout }, who) => {
      authenticateSync(connection, authkey, 'client', timeout, who);
    },
    (error) => {
      throw error;
    },
  );
  return connection;
}

function waitOf(options: ClientOptions): WaitOptions {
  if (typeof options !== 'object' || (options as unknown) === null) return {}; // refused later
  return { timeout: options.timeout, signal: options.signal };
}

/** A host's name may have several addresses. The first one's failure is told if none can be connected to. */
async function firstOf(names: SocketName[], attempt: (name: SocketName) => Promise<Socket>): Promise<Socket> {
  let failure: Error | null = null;
  for (const name of names) {
    try {
      return await attempt(name);
    } catch (error) {
      if (!(error instanceof MultiprocessingError) || error.code !== 'ERR_MP_CONNECT') throw error;
      failure ??= error;
    }
  }
  throw failure!;
}

async function connect(name: SocketName, attempt: Attempt): Promise<Socket> {
  let socket: Socket | null;
  while ((socket = attempt.begin(name)) === null) {
    const { timeout, signal } = attempt.left;
    if (timeout === 0) throw attempt.late;
    await sleep(Math.min(lookAgainMs, timeout), undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
  try {
    await untilConnected(socket, attempt);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

async function untilConnected(socket: Socket, attempt: Attempt): Promise<void> {
  if (attempt.isConnected(socket)) return;
  const { timeout, signal } = attempt.left;
  await waitLater<undefined>({
    handle: socket,
    timeout,
    signal,
    begin(task) {
      socket.user = {
        ready() {
          try {
            if (!attempt.isConnected(socket)) return;
            socket.watch(false, false);
            task.done(undefined);
          } catch (error) {
            task.fail(error);
          }
        },
        forked: () => undefined,
      };
      socket.watch(false, true);
    },
    timedOut(task) {
      task.fail(attempt.late);
    },
    aborted(task, reason) {
      task.fail(reason);
    },
  });
}

function nameSync(address: Address, what: string): SocketName {
  if (typeof address === 'string') return [address, -1];
  const [host, port] = address;
  if (host === 'localhost') return ['127.0.0.1', port];
  if (isIP(host) !== 0) return [host, port];
  throw rangeError(`${what}: takes an IP address or localhost, not the name ${show(host)}: use Client()`);
}

function connectSync(name: SocketName, attempt: Attempt, what: string): Socket {
  let socket: Socket | null;
  while ((socket = attempt.begin(name)) === null) {
    if (attempt.leftMs === 0) throw attempt.late;
    // No descriptor: only the time passes, or a signal comes.
    const end = native.socketWait(-1, false, Math.min(lookAgainMs, attempt.leftMs));
    if (end === socketWaited.interrupted) throw interrupted(what);
  }
  try {
    while (!attempt.isConnected(socket)) {
      if (!socket.block(true, attempt.leftMs, what)) throw attempt.late;
    }
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}
