/** The addon's functions for processes, letters and descriptors. Failures throw an Error with `errno` and `syscall`. */

/** What `childDispatch`'s function is told: a bell of the child's, or its end. */
export const childEvent = { bell: 0, exit: 1 } as const;
/** How `childWait` ended. */
export const childWaited = { running: 0, ended: 1, interrupted: 2 } as const;

/** How a turn of a forkserver ended; the numbers are native/platform/platform.h's ForkTurn. */
export const forkTurn = { idle: 0, over: 1, told: 2, child: 3, spare: 4 } as const;

/** What tells a child whether its requester knows of it (go), its channel to the server, who it is, and what was sent. */
export type ForkTurn = [
  kind: number,
  go: number,
  channel: number,
  pid: number,
  requester: number,
  ...fds: number[],
];
export const firstFd = 5;

export interface ProcessBinding {
  /** One function for the events of all children of this environment. */
  childDispatch(dispatch: (id: number, event: number) => void): void;
  /** The child's descriptor i is fds[i]; -1 is /dev/null. Takes over the doorbell, also when it throws. */
  childSpawn(
    file: string,
    argv: string[],
    env: string[],
    cwd: string | null,
    fds: number[],
    newSession: boolean,
    doorbell: number,
    endsWithUs: boolean,
    hideWindow: boolean,
  ): { id: number; pid: number };
  /** Collects the end; the exit code, or null while it runs. */
  childReap(id: number): number | null;
  /** All whose end may not have been noticed yet, with one call to the system. */
  childrenEnded(): number[];
  childWait(id: number, timeoutMs: number): number;
  /** The same for a process that is no child of ours. */
  handleWait(handle: number, timeoutMs: number): number;
  /** False if it has ended. */
  childSignal(id: number, signal: number): boolean;
  /** Whether the child's watch keeps the event loop alive. It does from the start. */
  childKeepAlive(id: number, yes: boolean): void;
  /** The descriptor that becomes readable when it ends. */
  childHandle(id: number): number;
  /** Closes the doorbell. */
  childQuiet(id: number): void;
  /** Ends the watch, and closes the handle unless it is kept. */
  childForget(id: number, keepHandle: boolean): void;
  /** Ends and collects every running child of this environment that is not detached. Blocks up to half a second. */
  childrenEnd(): void;

  /** As childSpawn, by this process's forkserver. A text is the server's refusal. */
  childFork(
    fds: number[],
    newSession: boolean,
    doorbell: number,
    endsWithUs: boolean,
    patient: boolean,
  ): { id: number; pid: number } | string;
  /** Starts one with these descriptors and, after them, its end of the channel. Its id; null if there is one already. */
  forkserverLaunch(file: string, argv: string[], env: string[], fds: number[]): number | null;
  /** Says which one it is among those this process had; 0 if it has none. */
  forkserverGeneration(): number;
  forkserverDrop(generation: number): void;
  forkserverTell(fds: number[], wait: boolean): boolean;
  /** Whether it has acted upon all it was told. */
  forkserverReady(): boolean;
  /** Whom it has forked for whom: requester's pid, child's pid, and so on. */
  forkserverCensus(): number[];
  /** In a forked child. */
  forkserverAdopt(channel: number): void;

  /** Of this process, without changing it for a moment; -1 where it is not to be had. */
  umask(): number;
  /** In a forkserver: serves until there is something to do. With a refusal no child is forked. */
  forkServe(channel: number, refusal: string | null, wait: boolean): ForkTurn;
  /** In a process that will be a forkserver: signals sent to whole groups are not for it, but for its children. */
  forkserverShield(): void;
  /** In a forkserver that runs JavaScript, however busily: ends it when its last user is gone. */
  forkserverWatch(yes: boolean): void;
  /** In a forkserver: the descriptors that it has of its own accord, and its children have not. */
  forkserverFds(): number[];
  /** In a forkserver: has its children allocate beside what they share with it, not within. */
  fillHoles(): void;
  /** In a spare: waits until somebody asks for it; its turn as a child. */
  forkTake(channel: number): ForkTurn;
  /** In a forked child: whether its requester knows of it. Waits. */
  forkConfirmed(go: number): boolean;
  /** Called with false whenever the event loop has run empty, and with true unless that made work. */
  onDry(dry: (last: boolean) => void): void;
  /** Ends this process without what Node does at exit. */
  exitNow(code: number): never;
  /** Fills it from the kernel's own source. */
  randomBytes(into: ArrayBufferView | ArrayBuffer): void;
  /** Of all threads of this process, each followed by a newline. */
  threadNames(): string;

  /** 1 for the first process this one starts, and so on; counts over all worker threads. */
  processNumber(): number;
  /** Sets, or gives, how this process was started; '' in a main process. One text for all worker threads. */
  processIdentity(text?: string): string;
  /** A handle of this process, for its children. Never closed. */
  processSelf(): number;
  /** What tells its children that this process is about to end, as its parent has. Never closed. */
  processEnding(): number;
  /** Ends this process when its parent has ended or is about to (`handle`, `ending`), and leaves it to that to answer Ctrl-C. */
  processFollow(handle: number, ending: number): void;
  /** Windows: whether this program listens for SIGINT now, so that Ctrl-C is to be told. */
  processListens(yes: boolean): void;
  /** When a process started, as text; '0' if there is none. With its pid it names a process for good. */
  processStart(pid: number): string;
  /** Windows: the processes that one has started. */
  processChildren(pid: number): number[];
  /** Windows: how many handles this process has open. */
  handleCount(): number;

  fileCreate(label: string): number;
  fileRead(fd: number, into: Uint8Array, offset: number): void;
  fileWrite(fd: number, bytes: Uint8Array, offset: number): void;
  fileResize(fd: number, size: number): void;
  fileSize(fd: number): number;
  bellCreate(): number;
  bellRing(fd: number): void;
  pipeCreate(): [readEnd: number, writeEnd: number];
  /** Windows: a child's end of a pipe, and the name to connect to before the child starts. */
  pipeOffer(childReads: boolean): [childEnd: number, name: string];
  /** Windows: what the addon's functions call a descriptor of Node's; -1 if nothing is open there. */
  fdOfNode(fd: number): number;
  fdClose(fd: number): void;
  /** Blocks until it takes bytes, or never will. */
  fdAwaitSpace(fd: number): void;
  /** Programs this process starts do not get the descriptor. */
  fdPrivate(fd: number): void;
  /** Makes `to` what `fd` is, and closes that. */
  fdMove(fd: number, to: number): void;
}
