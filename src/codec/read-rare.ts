/** Reading what is met less often than plain objects and arrays. */
import { functionAtOnce } from './functions.js';
import { damaged } from './failures.js';
import * as f from './format.js';
import { readArrayBuffer, readBuffer, readView } from './read-bytes.js';
import type { Reader } from './reader.js';

export function readRare(from: Reader, tag: number): unknown {
  switch (tag) {
    case f.tBigint:
      return from.bigint64();
    case f.tLongBigint:
      return readLongBigint(from);
    case f.tMap:
    case f.tSet:
    case f.tError: {
      const object = from.made(emptyRare(from, tag));
      if (tag === f.tError) fillError(from, object as Error);
      else fillRare(from, object);
      return object;
    }
    case f.tDate:
      return from.made(new Date(from.double()));
    case f.tRegexp: {
      const number = from.reserve();
      return from.settle(number, new RegExp(from.string(), from.string()));
    }
    case f.tBoxed:
      return readBoxed(from);
    case f.tException:
      return readException(from);
    case f.tBuffer:
    case f.tLargeBuffer:
      return readBuffer(from, tag);
    case f.tArrayBuffer:
    case f.tLargeArrayBuffer:
    case f.tResizable:
      return readArrayBuffer(from, tag);
    case f.tView:
      return readView(from);
    case f.tShared: {
      const object = from.around.shared[from.u32()];
      if (object === undefined) throw damaged('it refers to a shared object that is not there');
      return from.made(object);
    }
    case f.tFunction:
      return readFunction(from);
    default:
      throw damaged('it has a tag that is none');
  }
}

/** A Map, Set or Error with nothing in it. An error's class follows its tag. */
export function emptyRare(from: Reader, tag: number): object {
  if (tag === f.tMap) return new Map();
  if (tag === f.tSet) return new Set();
  if (tag !== f.tError) throw damaged('it leaves for later what has nothing in it');
  const name = f.errorNames[from.u8()];
  if (name === undefined) throw damaged('an error has a class that is none');
  return withoutStack(() => (name === 'AggregateError' ? new AggregateError([]) : new globalThis[name]()));
}

export function fillRare(from: Reader, object: object): void {
  if (object instanceof Error) {
    from.u8(); // its class, known already
    fillError(from, object);
    return;
  }
  const count = from.u32();
  if (object instanceof Map) for (let i = 0; i < count; i++) object.set(from.value(), from.value());
  else for (let i = 0; i < count; i++) (object as Set<unknown>).add(from.value());
}

function fillError(from: Reader, error: Error): void {
  const has = from.u8();
  if ((has & f.errorHas.message) !== 0) hide(error, 'message', from.string());
  if ((has & f.errorHas.stack) !== 0) hide(error, 'stack', from.string());
  else hide(error, 'stack', undefined);
  if ((has & f.errorHas.cause) !== 0) hide(error, 'cause', from.value());
  if ((has & f.errorHas.errors) !== 0) hide(error, 'errors', from.value());
}

/** Errors get the stack they came with; collecting another one first takes longer than all the rest. */
function withoutStack<T>(make: () => T): T {
  const limit = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit');
  if (limit?.writable !== true) return make();
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit.value as number;
  }
}

function readException(from: Reader): DOMException {
  const number = from.reserve();
  const message = from.string();
  const name = from.string();
  const exception = withoutStack(() => new DOMException(message, name));
  hide(exception, 'stack', from.string());
  return from.settle(number, exception);
}

function readLongBigint(from: Reader): bigint {
  const isNegative = from.u8() !== 0;
  const value = BigInt(`0x${from.string()}`);
  return isNegative ? -value : value;
}

function readBoxed(from: Reader): object {
  const number = from.reserve();
  const value = from.value();
  if (
    (typeof value === 'object' && value !== null) ||
    value === undefined ||
    value === null ||
    typeof value === 'function'
  )
    throw damaged('a boxed primitive is none');
  return from.settle(number, Object(value) as object);
}

function readFunction(from: Reader): object {
  const module = from.string();
  const name = from.string();
  const hash = from.value();
  if (hash !== null && typeof hash !== 'string') throw damaged('a function is named by something else');
  const ref = { module, export: name, hash };
  const { around } = from;
  from.hasFunctions = true;
  return from.foreign(() => (around.functionOf === undefined ? functionAtOnce(ref) : around.functionOf(ref)));
}

function hide(error: object, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, enumerable: false, writable: true, configurable: true });
}
