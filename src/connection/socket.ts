/** A socket of this environment: calls that never wait, one that blocks, and events of its loop. */
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { socketEvent, socketWaited } from '../native/socket-binding.js';
import { interrupted } from '../sync/interrupted.js';

export interface SocketUser {
  /** Something that is watched for may be possible now. */
  ready(): void;
  /** This process is a forked child: nothing here waits for anything. */
  forked(): void;
}

/** So many reads or writes are done in one turn of the event loop: others want a turn, too, however fast the peer is. */
export const turnsAtOnce = 32;

const open = new Map<number, Socket>();
let listens = false;

export class Socket {
  readonly fd: number;
  #user: SocketUser | null = null;
  #watched = 0;

  /** Takes the descriptor over. */
  constructor(fd: number) {
    this.fd = fd;
    open.set(fd, this);
    if (listens) return;
    listens = true;
    native.socketDispatch((ready, stopped) => open.get(ready)?.heard(stopped));
  }

  set user(user: SocketUser) {
    this.#user = user;
  }

  get isOpen(): boolean {
    return open.get(this.fd) === this;
  }

  /** What its user is to hear of, and keeps the process alive for. */
  watch(read: boolean, write: boolean): void {
    const events = (read ? socketEvent.readable : 0) + (write ? socketEvent.writable : 0);
    if (events === this.#watched) return;
    native.socketWatch(this.fd, events);
    this.#watched = events;
  }

  /** Blocks this thread until it can be read (accepted from) or written to; false when the time is up. */
  block(toSend: boolean, timeout: number, what: string): boolean {
    const end = orFail('ERR_MP_SYSTEM', what, () => native.socketWait(this.fd, toSend, Math.max(timeout, 0)));
    if (end === socketWaited.interrupted) throw interrupted(what);
    return end === socketWaited.ready;
  }

  heard(stopped: boolean): void {
    if (stopped) this.#watched = 0;
    this.#user?.ready();
  }

  forked(): void {
    if (this.#watched !== 0) native.socketWatch(this.fd, 0);
    this.#watched = 0;
    this.#user?.forked();
  }

  close(): void {
    if (!this.isOpen) return;
    open.delete(this.fd);
    native.socketClose(this.fd);
  }
}

/** In a forked child: its sockets are open as its parent's are, but nothing of what its parent does goes on. */
export function forgetSockets(): void {
  for (const socket of open.values()) socket.forked();
}
