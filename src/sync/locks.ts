import type { SegmentPlace } from '../memory/segment-name.js';
import { show, typeError } from '../native/arguments.js';
import { Grant } from '../native/monitor-binding.js';
import { acquireLater } from './acquire-later.js';
import { listNamed, namedRequest, parsePlace } from './named-lock.js';
import { type Owner, toOwner } from './owner.js';
import { RequestEntry } from './request-entry.js';
import type { RWMode } from './rwlock.js';
import { parseWait } from './wait-options.js';

/** Bits of a seat: native/core/rwlock.h. */
const stateMask = 3 << 30;
const waits = 1 << 30;
const wantsWrite = 1 << 29;
const writes = 1 << 28;
const readsMask = writes - 1;

export type LockMode = 'exclusive' | 'shared';

export interface LockRequestOptions {
  /** 'exclusive' by default; any number of 'shared' ones hold a name at once. */
  mode?: LockMode | undefined;
  /** Does not wait: if the lock is not to be had now, the callback is called with null. */
  ifAvailable?: boolean | undefined;
  /** Takes the lock away from whoever has it (their request rejects with an AbortError) and goes before all who wait. */
  steal?: boolean | undefined;
  /** Ends the wait when it is aborted: the request rejects with its `reason`. Once the lock is granted it has no effect. */
  signal?: AbortSignal | undefined;
}

/** What the callback of a request gets. */
export interface RequestedLock {
  readonly name: string;
  readonly mode: LockMode;
  /** True if a holder of the exclusive lock died with it: check the data before trusting it. */
  readonly abandoned: boolean;
}

/** One entry of {@link LockManager.query}. */
export interface LockInfo {
  name: string;
  mode: LockMode;
  /** Which process and thread: `<pid>` or `<pid>:<thread>`. */
  clientId: string;
  owner: Owner | null;
}

type Callback<L, T> = (lock: L) => T | PromiseLike<T>;

async function request<T>(name: string, callback: Callback<RequestedLock, T>): Promise<Awaited<T>>;
async function request<T>(
  name: string,
  options: LockRequestOptions & { ifAvailable: true },
  callback: Callback<RequestedLock | null, T>,
): Promise<Awaited<T>>;
async function request<T>(
  name: string,
  options: LockRequestOptions,
  callback: Callback<RequestedLock, T>,
): Promise<Awaited<T>>;
async function request(name: unknown, second: unknown, third?: unknown): Promise<unknown> {
  const what = `locks.request(${show(name)})`;
  const callback = typeof second === 'function' ? second : third;
  if (typeof callback !== 'function') throw typeError(`${what}: expects a function, not ${show(callback)}`);
  const ask = parse(typeof second === 'function' ? {} : second, what);
  const place = placeOf(name, what);
  ask.signal?.throwIfAborted();
  const entry = RequestEntry.use(place, what);
  try {
    const got = await acquire(entry, ask, what);
    if (got === Grant.waits) return await (callback as Callback<null, unknown>)(null);
    const abandoned = got === Grant.told;
    return await hold(entry, ask.mode, (): unknown =>
      (callback as Callback<RequestedLock, unknown>)({
        name: name as string,
        mode: modeOf(ask.mode),
        abandoned,
      }),
    );
  } finally {
    entry.done();
  }
}

interface Ask {
  readonly mode: RWMode;
  readonly ifAvailable: boolean;
  readonly steal: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Gets the lock. `waits`: it was to be had at once or not at all. */
async function acquire(
  entry: RequestEntry,
  { mode, ifAvailable, steal, signal }: Ask,
  what: string,
): Promise<Grant> {
  const { state } = entry;
  if (steal) return state.steal(what);
  if (ifAvailable) return state.queued > 0 ? Grant.waits : state.try(mode);
  const { abandoned } = await acquireLater({
    line: state.line(mode),
    reference: state.reference,
    call: null,
    handle: entry,
    what,
    timeout: Infinity,
    signal,
    missed: '',
    granted: (told: boolean) => ({ abandoned: told }),
  });
  return abandoned ? Grant.told : Grant.granted;
}

/** Runs the callback with the lock; ends early, with an AbortError, if the lock is stolen. */
async function hold(entry: RequestEntry, mode: RWMode, run: () => unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const holding = entry.add(mode, () => {
      reject(new DOMException('The lock was stolen by another request', 'AbortError'));
    });
    const end = (settle: () => void): void => {
      entry.remove(holding);
      settle();
    };
    // In a promise: what run() throws at once is a rejection as well.
    void Promise.resolve()
      .then(run)
      .then(
        (value) => {
          end(() => {
            resolve(value);
          });
        },
        (error: unknown) => {
          end(() => {
            // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever the callback threw
            reject(error);
          });
        },
      );
  });
}

/** Who holds and who waits for what, of all names that this user may read. A glance, not a snapshot. */
function query(): { held: LockInfo[]; pending: LockInfo[] } {
  const held: LockInfo[] = [];
  const pending: LockInfo[] = [];
  listNamed(namedRequest, (label, { seats }) => {
    for (const { owner: info, low } of seats) {
      const owner = toOwner(info);
      const clientId = owner === null ? '' : `${owner.pid}${owner.thread === 0 ? '' : `:${owner.thread}`}`;
      const add = (list: LockInfo[], mode: LockMode): void => {
        list.push({ name: decodeURIComponent(label), mode, clientId, owner });
      };
      if ((low & writes) !== 0) add(held, 'exclusive');
      for (let n = low & readsMask; n > 0; n--) add(held, 'shared');
      if ((low & stateMask) === waits) add(pending, (low & wantsWrite) !== 0 ? 'exclusive' : 'shared');
    }
  });
  return { held, pending };
}

function modeOf(mode: RWMode): LockMode {
  return mode === 'write' ? 'exclusive' : 'shared';
}

/** Any text is a name: what cannot be in a file's name is escaped. */
function placeOf(name: unknown, what: string): SegmentPlace {
  if (typeof name !== 'string') throw typeError(`${what}: the name must be a string, not ${show(name)}`);
  return parsePlace(
    namedRequest,
    Buffer.from(name).toString() === name ? encodeURIComponent(name) : name,
    what,
  );
}

function parse(options: unknown, what: string): Ask {
  if (typeof options !== 'object' || options === null)
    throw typeError(
      `${what}: expects { mode, ifAvailable, steal, signal } and a function, not ${show(options)}`,
    );
  const { mode = 'exclusive', ifAvailable = false, steal = false } = options as LockRequestOptions;
  const { signal } = parseWait({ signal: (options as LockRequestOptions).signal }, what);
  if ((mode as unknown) !== 'exclusive' && mode !== 'shared')
    throw typeError(`${what}: mode is 'exclusive' or 'shared', not ${show(mode)}`);
  for (const [key, value] of Object.entries({ ifAvailable, steal }))
    if (typeof (value as unknown) !== 'boolean')
      throw typeError(`${what}: ${key} must be true or false, not ${show(value)}`);
  if (steal && (mode === 'shared' || ifAvailable || signal !== undefined))
    throw typeError(`${what}: steal goes with mode 'exclusive' only, and without ifAvailable and signal`);
  if (ifAvailable && signal !== undefined)
    throw typeError(`${what}: ifAvailable does not wait, so there is nothing for a signal to end`);
  return { mode: mode === 'exclusive' ? 'write' : 'read', ifAvailable, steal, signal };
}

/** The lock manager of this machine's user: see {@link locks}. */
export interface LockManager {
  /**
   * Waits, without blocking, for the lock of that name, calls `callback` with it, and releases it when what that returns
   * has settled. Resolves to that. The lock goes with its holder's process or thread, however that ends.
   * @throws what the callback throws; the signal's reason; AbortError (DOMException) if another request steals the lock
   */
  readonly request: typeof request;
  readonly query: typeof query;
}

/**
 * The Web Locks API (`navigator.locks`) between processes and threads of this machine, related or not.
 *
 * ```js
 * await locks.request('nightly-job', async (lock) => { … });
 * ```
 *
 * A name is any text of up to some 230 bytes (characters other than letters and digits count up to three for each of their
 * bytes). It exists while somebody uses it; a name whose users were all killed is cleared away by its next one.
 */
export const locks: LockManager = { request, query };
