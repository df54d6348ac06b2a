/** Listeners: where clients connect. */
import { channel } from 'node:diagnostics_channel';
import { mkdtempSync, rmdirSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { AuthenticationError, ClosedError, MultiprocessingError, TimeoutError } from '../errors.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import { errnoOf, orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { waitLater } from '../sync/wait-later.js';
import { parseSyncWait, beginWait, type SyncWaitOptions, type WaitOptions } from '../sync/wait-options.js';
import { toHandle } from '../transfer/handle.js';
import { type Address, addressOf, addressText, parseAddress, systemNames } from './address.js';
import { unsupported } from './client.js';
import type { Connection } from './connection.js';
import { authenticate, authenticateSync } from './handshake.js';
import { type Checked, checkOptions, type ListenerOptions, wholeNumber } from './options.js';
import { Socket, type SocketUser } from './socket.js';
import { SocketConnection } from './socket-connection.js';

/** So many clients may be in the middle of the handshake: more wait to be accepted. */
const handshakesAtOnce = 256;

/** What became of a client: a connection, or why it is none. */
type Outcome = { connection: Connection } | { error: unknown };

interface Acceptor {
  done(connection: Connection): void;
  fail(error: unknown): void;
}

/** On `multiproc:connection:refused`: a client that did not prove the authkey was left out of an iteration. */
export interface RefusedMessage {
  readonly address: Address;
  readonly error: AuthenticationError;
}
const refusals = channel('multiproc:connection:refused');

/** Files of listeners that this process has not closed: removed at its exit. */
const named = new Set<SocketListener>();
let watchesExit = false;

/** Accepts the connections of clients. Made by {@link Listener}. */
export class SocketListener implements Disposable, AsyncIterable<Connection>, SocketUser {
  /** Where it listens: for {@link Client}, in this process or any other. */
  readonly address: Address;
  readonly #text: string;
  readonly #socket: Socket;
  readonly #options: Checked;
  #acceptors: Acceptor[] = [];
  readonly #outcomes: Outcome[] = [];
  readonly #handshakes = new Set<SocketConnection>();
  #lastAccepted: Address | null = null;

  /** @internal */
  constructor(socket: Socket, address: Address, options: Checked) {
    this.#socket = socket;
    this.address = address;
    this.#text = addressText(address);
    this.#options = options;
    socket.user = this;
    if (typeof address === 'string') named.add(this);
    if (watchesExit) return;
    watchesExit = true;
    process.on('exit', closeNamed);
  }

  get closed(): boolean {
    return !this.#socket.isOpen;
  }

  /** The host and port of the client accepted last; null where clients have none, or there was no client yet. */
  get lastAccepted(): Address | null {
    return this.#lastAccepted;
  }

  /**
   * The connection of the next client, without blocking the event loop, which is kept alive meanwhile. With an authkey the
   * handshakes of several clients go on side by side, and whoever is done first comes first.
   * @throws AuthenticationError for a client that has not proved the authkey: that client is gone, the listener goes on
   * @throws TimeoutError, the signal's reason, or ClosedError after close()
   */
  async accept(options?: number | WaitOptions): Promise<Connection> {
    const what = 'Listener.accept()';
    const { timeout, signal } = beginWait(options, what);
    this.#checkOpen(what);
    let acceptor: Acceptor;
    return waitLater<Connection>({
      handle: this,
      timeout,
      signal,
      begin: (task) => {
        acceptor = {
          done: (connection) => {
            task.done(connection);
          },
          fail: (error) => {
            task.fail(error);
          },
        };
        this.#acceptors.push(acceptor);
        this.#serve();
      },
      timedOut: (task) => {
        this.#serve();
        if (!this.#acceptors.includes(acceptor)) return;
        this.#leave(acceptor);
        task.fail(this.#timedOut(timeout, what));
      },
      aborted: (task, reason) => {
        this.#leave(acceptor);
        task.fail(reason);
      },
    });
  }

  /** The same, blocking this thread. One handshake after the other: a client that is silent makes others wait. */
  acceptSync(options?: number | SyncWaitOptions): Connection {
    const what = 'Listener.acceptSync()';
    const { timeout } = parseSyncWait(options, what);
    this.#checkOpen(what);
    const deadline = performance.now() + timeout;
    const left = (): number => Math.max(deadline - performance.now(), 0);
    const done = this.#outcomes.shift();
    if (done !== undefined) return connectionOf(done);
    let connection = this.#next();
    for (; connection === null; connection = this.#next())
      if (!this.#socket.block(false, left(), what)) throw this.#timedOut(timeout, what);
    const { authkey, handshakeTimeout } = this.#options;
    if (authkey === null) return connection;
    const time = left();
    try {
      authenticateSync(
        connection,
        authkey,
        'listener',
        Math.min(handshakeTimeout, time),
        this.#who(connection),
      );
    } catch (error) {
      throw time < handshakeTimeout && left() === 0 ? this.#timedOut(timeout, what) : error;
    }
    return connection;
  }

  /** The connections of clients, until the listener is closed. Those who do not prove the authkey are left out. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Connection, void, undefined> {
    for (;;) {
      let connection: Connection;
      try {
        connection = await this.accept();
      } catch (error) {
        if (error instanceof ClosedError) return;
        if (!(error instanceof AuthenticationError)) throw error;
        if (refusals.hasSubscribers)
          refusals.publish({ address: this.address, error } satisfies RefusedMessage);
        continue;
      }
      yield connection;
    }
  }

  /** Stops listening, and removes the file that bears the name. Connections stay open. Twice is harmless. */
  close(): void {
    if (this.closed) return;
    named.delete(this);
    this.#socket.close();
    for (const connection of this.#handshakes) connection.close();
    for (const outcome of this.#outcomes.splice(0)) if ('connection' in outcome) outcome.connection.close();
    for (const acceptor of this.#acceptors.splice(0)) acceptor.fail(this.#closedError('Listener.accept()'));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal */
  ready(): void {
    this.#serve();
  }

  /** @internal The child listens, too, and may accept: each client goes to one of them. The file is its parent's. */
  forked(): void {
    this.#acceptors = [];
    this.#outcomes.length = 0;
    this.#handshakes.clear();
    named.delete(this);
    watchesExit = false;
  }

  /** Gives those who wait what there is, and takes in further clients for those who still do. */
  #serve(): void {
    this.#deliver();
    try {
      while (this.#wantsMore()) {
        const connection = this.#next();
        if (connection === null) break;
        this.#receive(connection);
        this.#deliver();
      }
    } catch (error) {
      // No descriptor for one more, e.g. The client keeps waiting.
      this.#acceptors.shift()?.fail(error);
    }
    if (!this.closed) this.#socket.watch(this.#wantsMore(), false);
  }

  #wantsMore(): boolean {
    return this.#acceptors.length > 0 && this.#handshakes.size < handshakesAtOnce;
  }

  #deliver(): void {
    while (this.#acceptors.length > 0 && this.#outcomes.length > 0) {
      const outcome = this.#outcomes.shift()!;
      const acceptor = this.#acceptors.shift()!;
      if ('connection' in outcome) acceptor.done(outcome.connection);
      else acceptor.fail(outcome.error);
    }
  }

  #receive(connection: SocketConnection): void {
    const { authkey, handshakeTimeout } = this.#options;
    if (authkey === null) {
      this.#outcomes.push({ connection });
      return;
    }
    this.#handshakes.add(connection);
    const end = (outcome: Outcome): void => {
      if (!this.#handshakes.delete(connection)) return; // we are a forked child
      if (this.closed) {
        connection.close();
        return;
      }
      this.#outcomes.push(outcome);
      this.#serve();
    };
    const wait = { timeout: handshakeTimeout };
    authenticate(connection, authkey, 'listener', wait, this.#who(connection)).then(
      () => {
        end({ connection });
      },
      (error: unknown) => {
        end({ error });
      },
    );
  }

  /** The next client who waits to be accepted, or null. */
  #next(): SocketConnection | null {
    const what = `Listener at ${this.#text}: cannot accept a client`;
    const fd = orFail('ERR_MP_SYSTEM', what, () => native.socketAccept(this.#socket.fd));
    if (fd < 0) return null;
    const socket = new Socket(fd);
    let peer: Address | null = null;
    try {
      if (typeof this.address !== 'string') peer = addressOf(native.socketName(fd, true));
    } catch {
      // It has gone already. What it sent can be read.
    }
    this.#lastAccepted = peer;
    const text = peer === null ? `the client of ${this.#text}` : `the client ${addressText(peer)}`;
    return new SocketConnection(socket, text, this.#options.maxMessage);
  }

  #who(connection: SocketConnection): string {
    return `Listener at ${this.#text}: ${connection.peer}`;
  }

  #leave(acceptor: Acceptor): void {
    this.#acceptors = this.#acceptors.filter((other) => other !== acceptor);
    if (!this.closed) this.#socket.watch(this.#wantsMore(), false);
  }

  #timedOut(timeout: number, what: string): TimeoutError {
    return new TimeoutError(`${what}: no client connected to ${this.#text} within ${timeout} ms`);
  }

  #closedError(what: string): ClosedError {
    return new ClosedError(`${what}: the listener at ${this.#text} was closed here`);
  }

  #checkOpen(what: string): void {
    if (this.closed) throw this.#closedError(what);
  }

  [toHandle](): never {
    throw new MultiprocessingError(
      'ERR_MP_CLONE',
      `${inspect(this)} cannot be sent to another process: it is a socket of this one. Send its address`,
    );
  }

  [inspect.custom](): string {
    return `<Listener at ${this.#text}${this.closed ? ', closed' : ''}>`;
  }
}

function connectionOf(outcome: Outcome): Connection {
  if ('error' in outcome) throw outcome.error;
  return outcome.connection;
}

function closeNamed(): void {
  for (const listener of named) listener.close();
}

function removeDirectory(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // It is gone, or somebody has put something there.
  }
}

/** A path of its own, in a directory that only this user can enter. */
function ownDirectory(): string {
  const name = 'multiproc-';
  const base = tmpdir();
  // A socket's path is short. Where this is too deep, everybody's directory does.
  return mkdtempSync(join(Buffer.byteLength(base) > 80 ? '/tmp' : base, name));
}

/** Listens at an address; see {@link ListenerOptions}. Callable without `new`. */
export type Listener = SocketListener;
export function Listener(
  address?: Address | ListenerOptions | null,
  options?: ListenerOptions,
): Promise<SocketListener> {
  return listen(address, options);
}

async function listen(
  given: Address | ListenerOptions | null | undefined,
  more: ListenerOptions | undefined,
): Promise<SocketListener> {
  const what = 'Listener()';
  const isOptions = typeof given === 'object' && given !== null && !Array.isArray(given);
  if (more !== undefined && (typeof more !== 'object' || (more as unknown) === null))
    throw typeError(`${what}: expects { authkey, … }, not ${show(more)}`);
  const options: ListenerOptions = { ...(isOptions ? (given as ListenerOptions) : {}), ...more };
  const checked = checkOptions(options, what);
  const { backlog = 128, ifAbandoned = 'error' } = options;
  wholeNumber(backlog, 'backlog', what);
  if (!['error', 'replace'].includes(ifAbandoned))
    throw rangeError(`${what}: ifAbandoned must be 'error' or 'replace', not ${show(ifAbandoned)}`);
  const wanted = isOptions ? options.address : given;
  const isOwn = wanted === undefined || wanted === null;
  const directory = isOwn ? ownDirectory() : null;
  try {
    const address = parseAddress(isOwn ? join(directory!, 'socket') : wanted, what);
    const socket = await open(address, { backlog, ifAbandoned, directory: directory ?? '' }, what);
    const bound = typeof address === 'string' ? address : addressOf(native.socketName(socket.fd, false));
    return new SocketListener(socket, bound, checked);
  } catch (error) {
    if (directory !== null) removeDirectory(directory);
    throw error;
  }
}

interface OpenOptions {
  backlog: number;
  ifAbandoned: 'error' | 'replace';
  /** Goes with the socket's file. */
  directory: string;
}

async function open(
  address: Address,
  { backlog, ifAbandoned, directory }: OpenOptions,
  what: string,
): Promise<Socket> {
  const here: Address = typeof address !== 'string' && address[0] === '' ? ['0.0.0.0', address[1]] : address;
  const [name] = await systemNames(here, 'ERR_MP_LISTEN', what);
  const call = `${what}: cannot listen at ${addressText(address)}`;
  const attempt = (): Socket =>
    new Socket(
      orFail('ERR_MP_LISTEN', call, () =>
        native.socketListen(...name!, Math.min(backlog, 65_535), directory),
      ),
    );
  try {
    return attempt();
  } catch (error) {
    if (!(error instanceof MultiprocessingError)) throw error;
    if (errnoOf(error) === 'ENOSYS') throw unsupported(call, error);
    if (errnoOf(error) !== 'EADDRINUSE') throw error;
    const isAbandoned = typeof address === 'string' && native.socketAbandoned(address);
    if (!isAbandoned) throw inUse(error, 'another listener has the address');
    if (ifAbandoned === 'replace') {
      unlinkSync(address);
      return attempt();
    }
    throw inUse(
      error,
      "the listener that left this file behind is gone: remove the file, or pass { ifAbandoned: 'replace' }",
    );
  }
}

function inUse(cause: MultiprocessingError, remedy: string): MultiprocessingError {
  return new MultiprocessingError('ERR_MP_LISTEN', `${cause.message}; ${remedy}`, {
    cause,
    errno: 'EADDRINUSE',
    syscall: 'bind',
  });
}
