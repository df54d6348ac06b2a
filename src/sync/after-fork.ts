/** A forked process is a participant of its own: it holds nothing, and waits for nothing, of what its parent does. */
import { threadId } from 'node:worker_threads';
import { native } from '../native/load.js';
import { Reference } from '../memory/arena.js';
import { requestFor } from '../memory/segment.js';
import { NamedReference } from './named-lock.js';
import { forgetWaits } from './waits.js';

/** In the child, before anything of the program's runs in it. */
export function forgetTasks(): void {
  forgetWaits();
  for (const { local } of Reference.all()) local?.forked?.();
  for (const reference of NamedReference.all()) {
    reference.local?.forked?.();
    try {
      native.enterNamedAgain(reference.slot, requestFor(reference.place, reference.of.segmentKind), threadId);
    } catch {
      // It was deleted, or nobody else can take part: here it counts as damaged from now on.
    }
  }
}
