/** What programs do around a fork: their own locks, connections and threads. */
import { show, typeError } from '../../native/arguments.js';

export interface ForkHooks {
  /** In the parent, just before: take what no one may be in the middle of using. An error here cancels the fork. */
  before?: (() => void) | undefined;
  /** In the parent, just after, also when the fork failed: give it back. */
  parent?: (() => void) | undefined;
  /** In the child, before its target runs: make it new. An error here is the child's. */
  child?: (() => void) | undefined;
}

const registered = new Set<ForkHooks>();
const names = ['before', 'parent', 'child'] as const;

/**
 * Has functions called around each fork of start method `fork`, as pthread_atfork does: `before` in the reverse order of
 * registration, `parent` and `child` in that order. All run synchronously. Returns a function that takes the hooks away.
 */
export function onFork(hooks: ForkHooks): () => void {
  if (typeof hooks !== 'object' || (hooks as unknown) === null)
    throw typeError(`onFork(): hooks must be an object, not ${show(hooks)}`);
  const own: ForkHooks = {};
  for (const name of Object.keys(hooks)) {
    const hook: unknown = hooks[name as keyof ForkHooks];
    if (!names.includes(name as (typeof names)[number]))
      throw typeError(`onFork(): there is no hook ${show(name)}; there are ${names.join(', ')}`);
    if (hook !== undefined && typeof hook !== 'function')
      throw typeError(`onFork(): ${name} must be a function, not ${show(hook)}`);
    own[name as keyof ForkHooks] = hook as (() => void) | undefined;
  }
  registered.add(own);
  return () => {
    registered.delete(own);
  };
}

export interface Around<T> {
  /** Forks; in the child it returns, too. */
  fork: () => T;
  isChild: (forked: T) => boolean;
}

/**
 * Forks with the hooks around it. If one throws before it, nothing is forked, and the hooks that have run already are told
 * so by their `parent`. Errors of `parent` do not keep the others from running: the first of them is given to `failed`.
 */
export function aroundFork<T>({ fork, isChild }: Around<T>, failed: (error: unknown) => void): T {
  const hooks = [...registered];
  const begun: ForkHooks[] = [];
  let forked: T;
  try {
    for (const hook of hooks.toReversed()) {
      hook.before?.();
      begun.unshift(hook);
    }
    forked = fork();
  } catch (error) {
    run(begun, 'parent', () => undefined);
    throw error;
  }
  if (isChild(forked)) childHooks = hooks;
  else run(hooks, 'parent', failed);
  return forked;
}

let childHooks: ForkHooks[] = [];

/** In a child, when it is a process of its own. Throws the first error of a hook; the others have run all the same. */
export function runChildHooks(): void {
  const errors: unknown[] = [];
  run(childHooks, 'child', (error) => errors.push(error));
  childHooks = [];
  if (errors.length > 0) throw errors[0];
}

function run(hooks: ForkHooks[], name: 'parent' | 'child', failed: (error: unknown) => void): void {
  for (const hook of hooks) {
    try {
      hook[name]?.();
    } catch (error) {
      failed(error);
    }
  }
}
