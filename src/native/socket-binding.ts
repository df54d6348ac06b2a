/** The addon's functions for sockets. Failures throw an Error with `errno` and `syscall`. */

/** How `socketWait` ended; the numbers are native/platform/platform.h's SocketWait. */
export const socketWaited = { timedOut: 0, ready: 1, interrupted: 2 } as const;
/** What is watched for, to be added up; the numbers are libuv's. */
export const socketEvent = { readable: 1, writable: 2 } as const;

/** A path (or a name after a NUL, without a file) has port -1. */
export type SocketName = [name: string, port: number];

export interface SocketBinding {
  /** One function for the events of all sockets of this environment. `stopped`: an error has ended the watch. */
  socketDispatch(dispatch: (fd: number, stopped: boolean) => void): void;
  /** `directory` is '', or was made for the socket's file alone and goes with it. */
  socketListen(name: string, port: number, backlog: number, directory: string): number;
  /** Whether nobody listens any more at the socket file of that name. */
  socketAbandoned(name: string): boolean;
  /** -1: nobody waits to be accepted. */
  socketAccept(listener: number): number;
  /** Begins to connect. EAGAIN: too many wait there. */
  socketConnect(name: string, port: number): number;
  socketConnected(fd: number): boolean;
  socketName(fd: number, ofPeer: boolean): SocketName;
  /** How many bytes came; 0 at the end, -1 if there are none now. */
  socketReceive(fd: number, into: Uint8Array, offset: number): number;
  /** How many bytes were taken; -1 if there is no room now. */
  socketSend(fd: number, bytes: Uint8Array, offset: number): number;
  /** Blocks this thread. */
  socketWait(fd: number, toSend: boolean, timeoutMs: number): number;
  /** Has the events told, and keeps the loop alive, until it is 0. */
  socketWatch(fd: number, events: number): void;
  /** Nothing more will be sent. */
  socketEnd(fd: number): void;
  /** Removes the file that bears a listener's name, too, unless it is another's by now. So does the environment's end. */
  socketClose(fd: number): void;
}
