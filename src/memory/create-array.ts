/**
 * Creating a SharedArray's segment: what `ifExists` means, against others that create, replace and delete meanwhile.
 *
 * The steps are a generator, so that they are the same whether the memory is reserved here and now or in the background:
 * it yields what is to be created, and gets the created segment, or the system's error thrown in.
 */
import { randomBytes } from 'node:crypto';
import { MultiprocessingError } from '../errors.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import { native } from '../native/load.js';
import {
  type FileIdentity,
  type OpenedSegment,
  type PublishHow,
  SegmentKind,
  type SegmentRequest,
} from '../native/segment-binding.js';
import { requestFor, Segment } from './segment.js';
import { creationFailure, errnoOf, segmentFailure, segmentProblem } from './segment-errors.js';
import type { SegmentPlace } from './segment-name.js';
import { sameShape } from './shape.js';
import { type ElementType, typeOfNumber } from './types.js';

export interface CreateOptions {
  /** What to do if the name is taken: 'error' (the default), 'attach' to it if it fits, or 'replace' it. */
  ifExists?: 'error' | 'attach' | 'replace';
  /** Who may open it, as of a file: 0o600 by default, the owner alone. Not cut by the umask. */
  mode?: number;
  /** Whether the memory is reserved now, so that it cannot run out later. True by default. */
  reserve?: boolean;
}

export interface ArraySpec {
  readonly place: SegmentPlace;
  readonly shape: number[];
  readonly type: ElementType;
  readonly options: Required<CreateOptions>;
  readonly what: string;
}

interface Creation {
  request: SegmentRequest;
  how: PublishHow;
}
type Creating = Generator<Creation, Segment, OpenedSegment>;

/** Others that create and delete the same name all the time are given up on after as many rounds. */
const roundsMax = 1000;
/** How many of them at once; the others wait a millisecond each. */
const impatientRounds = 10;
/** Rounds of 5 ms that a segment in the making is waited for. */
const unreadyRounds = 20;
const pause = new Int32Array(new SharedArrayBuffer(4));

export function parseCreateOptions(options: unknown, what: string): Required<CreateOptions> {
  if (options !== undefined && (typeof options !== 'object' || options === null)) {
    throw typeError(`${what}: the options must be an object, not ${show(options)}`);
  }
  const given = (options ?? {}) as CreateOptions;
  const ifExists: unknown = given.ifExists ?? 'error';
  if (ifExists !== 'error' && ifExists !== 'attach' && ifExists !== 'replace') {
    throw typeError(`${what}: ifExists must be 'error', 'attach' or 'replace', not ${show(ifExists)}`);
  }
  return { ifExists, mode: parseMode(given.mode, what), reserve: parseReserve(given.reserve, what) };
}

export function parseMode(given: unknown, what: string): number {
  const mode = given ?? 0o600;
  if (typeof mode !== 'number')
    throw typeError(`${what}: mode must be a number, such as 0o600, not ${show(mode)}`);
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777) {
    throw rangeError(`${what}: mode must be an integer from 0 to 0o777, not ${mode}`);
  }
  return mode;
}

export function parseReserve(given: unknown, what: string): boolean {
  const reserve = given ?? true;
  if (typeof reserve !== 'boolean')
    throw typeError(`${what}: reserve must be true or false, not ${show(reserve)}`);
  return reserve;
}

function* creating(spec: ArraySpec): Creating {
  const { place, shape, type, options, what } = spec;
  const find = requestFor(place, SegmentKind.array);
  const request: SegmentRequest = {
    ...find,
    mode: options.mode,
    reserve: options.reserve,
    id: randomBytes(8).readBigUInt64LE(),
    elementType: type.number,
    elementBytes: type.cells.BYTES_PER_ELEMENT,
    shape,
  };
  let how: PublishHow = options.ifExists === 'replace' ? 'replace' : 'error';
  let unready = 0;
  for (let round = 0; round < roundsMax; round++) {
    if (options.ifExists === 'replace') checkReplaceable(spec, find);
    if (options.ifExists === 'attach') {
      const found = look(spec, find, unready < unreadyRounds);
      if (found instanceof Segment) return found;
      if (found === 'unready') {
        unready++;
        Atomics.wait(pause, 0, 0, 5); // a creator that does not make segments whole before naming them: not this version
        continue;
      }
      how = found ?? 'error';
    }
    try {
      return new Segment(place, yield { request, how }, false, 'SharedArray');
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw creationFailure(error, what, place);
      if (options.ifExists === 'attach') {
        // Somebody else's came first, or will: who replaces an unfinished one may have to wait for a processor.
        if (round >= impatientRounds) Atomics.wait(pause, 0, 0, 1);
        continue;
      }
      const stale: FileIdentity | null = how === 'error' ? unfinished(find) : null;
      if (stale === null) throw existsError(spec, error);
      how = stale;
    }
  }
  throw new MultiprocessingError('ERR_MP_EXISTS', `${what}: others keep creating and deleting it; try again`);
}

function existsError({ what }: ArraySpec, cause: unknown): MultiprocessingError {
  return new MultiprocessingError(
    'ERR_MP_EXISTS',
    `${what}: the name is taken; attach(), delete() it first, or give { ifExists: 'attach' } or { ifExists: 'replace' }`,
    { errno: 'EEXIST', syscall: 'link', cause },
  );
}

/** What has the name now. Null: nothing; a file: one that its dead creator never finished, to be replaced. */
function look(
  spec: ArraySpec,
  find: SegmentRequest,
  patient: boolean,
): Segment | null | 'unready' | FileIdentity {
  const { place, what } = spec;
  let found;
  try {
    found = Segment.open(place, find, 'SharedArray');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw segmentFailure(error, what);
  }
  if (found instanceof Segment) return fitting(found, spec);
  if (found.problem === 'abandoned') return found;
  if (found.problem === 'unready' && patient) return 'unready';
  throw segmentProblem(found, what, 'SharedArray');
}

/** What has the name now, if its dead creator never finished it. */
function unfinished(find: SegmentRequest): FileIdentity | null {
  try {
    const found = native.inspectSegment(find);
    return found.problem === 'abandoned' ? found : null;
  } catch {
    return null; // another user's, or gone again
  }
}

/** The segment if it has the type and shape that were asked for; closes it if not. */
function fitting(found: Segment, { shape, type, what }: ArraySpec): Segment {
  const there = typeOfNumber(found.facts.elementType);
  let error: MultiprocessingError | undefined;
  if (there?.name !== type.name) {
    error = new MultiprocessingError(
      'ERR_MP_TYPE',
      `${what}: it exists with elements of type ${there?.name ?? 'unknown'}, not ${type.name}`,
    );
  } else if (!sameShape(found.facts.shape, shape)) {
    error = new MultiprocessingError(
      'ERR_MP_SHAPE',
      `${what}: it exists with shape [${found.facts.shape.join(', ')}], not [${shape.join(', ')}]`,
    );
  }
  if (error === undefined) return found;
  found.close();
  throw error;
}

/** In shared memory the prefix says that what is there is ours. A file is replaced only if it is a SharedArray. */
function checkReplaceable({ place, what }: ArraySpec, find: SegmentRequest): void {
  if (!place.isPath) return;
  try {
    const { problem } = native.inspectSegment(find);
    if (problem !== 'not_ours' && problem !== 'too_short' && problem !== 'other_kind') return;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw segmentFailure(error, what);
  }
  throw new MultiprocessingError(
    'ERR_MP_EXISTS',
    `${what}: the file is there but is not a SharedArray; remove it yourself if it may go`,
  );
}

export function createArray(spec: ArraySpec): Segment {
  const steps = creating(spec);
  let step = steps.next();
  while (step.done !== true) {
    let opened: OpenedSegment;
    try {
      opened = native.createSegment(step.value.request, step.value.how);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(opened);
  }
  return step.value;
}

/** The last creation in the background. They come one after the other: it is the memory that limits them. */
let last: Promise<unknown> = Promise.resolve();

export function createArrayLater(spec: ArraySpec): Promise<Segment> {
  const created = last.then(() => createInTurn(spec));
  last = created.catch(() => undefined);
  return created;
}

async function createInTurn(spec: ArraySpec): Promise<Segment> {
  const steps = creating(spec);
  let step = steps.next();
  while (step.done !== true) {
    const { request, how } = step.value;
    let opened: OpenedSegment;
    try {
      opened = await new Promise<OpenedSegment>((resolve, reject) => {
        native.createSegmentLater(request, how, (error, made) => {
          if (error === null) resolve(made!);
          else reject(error);
        });
      });
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(opened);
  }
  return step.value;
}
