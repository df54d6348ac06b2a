/** Writing what is met less often than plain objects and arrays. */
import { types } from 'node:util';
import { MultiprocessingError } from '../errors.js';
import { type FunctionRef, referenceTo } from '../transfer/function-ref.js';
import type { Shareable } from '../transfer/handle.js';
import * as f from './format.js';
import { kindOf } from './kinds.js';
import { writeArrayBuffer, writeBuffer, writeView } from './write-bytes.js';
import type { Writer } from './writer.js';

/** Writes an object that is neither an array nor of Object's own prototype, and was not in the message before. */
export function writeRare(to: Writer, object: object): void {
  switch (kindOf(object)) {
    case 'instance':
      to.inside(object, f.tObject, () => {
        to.instance(object);
      });
      return;
    case 'shared':
      to.u8(f.tShared);
      to.u32(to.shared.push(object as Shareable) - 1);
      return;
    case 'buffer':
      writeBuffer(to, object as Buffer);
      return;
    case 'view':
      writeView(to, object as ArrayBufferView);
      return;
    case 'arrayBuffer':
      writeArrayBuffer(to, object as ArrayBuffer);
      return;
    case 'map':
      to.inside(object, f.tMap, () => {
        writeMap(to, object as Map<unknown, unknown>);
      });
      return;
    case 'set':
      to.inside(object, f.tSet, () => {
        writeSet(to, object as Set<unknown>);
      });
      return;
    case 'date':
      to.u8(f.tDate);
      to.double(Date.prototype.getTime.call(object));
      return;
    case 'regexp':
      to.u8(f.tRegexp);
      to.value((object as RegExp).source);
      to.value((object as RegExp).flags);
      return;
    case 'boxed':
      to.u8(f.tBoxed);
      to.value(unboxed(object));
      return;
    case 'error':
      writeError(to, object as Error);
      return;
    case 'exception':
      to.u8(f.tException);
      for (const key of ['message', 'name', 'stack'] as const)
        to.value(String((object as DOMException)[key]));
      return;
    default:
      throw to.refusal(object);
  }
}

/** By reference: which module exports it under which name. */
export function writeFunction(to: Writer, fn: object): void {
  if (to.noFunctions !== null) throw to.refusal(fn, { why: to.noFunctions });
  to.hasFunctions = true;
  let ref: FunctionRef;
  try {
    ref = referenceTo(fn);
  } catch (cause) {
    throw cause instanceof MultiprocessingError ? to.refusal(fn, { cause }) : cause;
  }
  to.u8(f.tFunction);
  to.value(ref.module);
  to.value(ref.export);
  to.value(ref.hash);
}

/** What is in it now: getters further inside could change it meanwhile. */
function writeMap(to: Writer, map: Map<unknown, unknown>): void {
  const entries: unknown[] = [];
  Map.prototype.forEach.call(map, (value, key) => entries.push(key, value));
  to.u8(f.tMap);
  to.u32(entries.length / 2);
  for (const part of entries) to.value(part);
}

function writeSet(to: Writer, set: Set<unknown>): void {
  const items: unknown[] = [];
  Set.prototype.forEach.call(set, (item) => items.push(item));
  to.u8(f.tSet);
  to.u32(items.length);
  for (const item of items) to.value(item);
}

function unboxed(object: object): unknown {
  if (types.isNumberObject(object)) return Number.prototype.valueOf.call(object);
  if (types.isStringObject(object)) return String.prototype.valueOf.call(object);
  if (types.isBooleanObject(object)) return Boolean.prototype.valueOf.call(object);
  return BigInt.prototype.valueOf.call(object);
}

/** An error's name and message may be anything. */
function textOf(to: Writer, error: Error, key: 'name' | 'message', value: unknown): string {
  if (typeof value === 'symbol') throw to.refusal(error, { what: `an error whose ${key} is a symbol` });
  return String(value);
}

/** A property of its own. What a getter gives is none of the error's data. */
function dataOf(error: Error, key: string): PropertyDescriptor | undefined {
  const property = Object.getOwnPropertyDescriptor(error, key);
  return property !== undefined && 'value' in property ? property : undefined;
}

/** As structured clone does, with its cause also where that drops it, and an AggregateError as what it is. */
function writeError(to: Writer, error: Error): void {
  const name = textOf(to, error, 'name', error.name);
  const errorClass = Math.max(0, (f.errorNames as readonly string[]).indexOf(name));
  to.inside(
    error,
    f.tError,
    () => {
      const property = dataOf(error, 'message');
      const message = property && textOf(to, error, 'message', property.value);
      const { stack } = error as { stack?: unknown };
      const cause = dataOf(error, 'cause');
      const errors = name === 'AggregateError' ? dataOf(error, 'errors') : undefined;
      to.u8(f.tError);
      to.u8(errorClass);
      to.u8(
        (message === undefined ? 0 : f.errorHas.message) |
          (typeof stack === 'string' ? f.errorHas.stack : 0) |
          (cause === undefined ? 0 : f.errorHas.cause) |
          (errors === undefined ? 0 : f.errorHas.errors),
      );
      if (message !== undefined) to.value(message);
      if (typeof stack === 'string') to.value(stack);
      if (cause !== undefined) to.value(cause.value);
      if (errors !== undefined) to.value(errors.value);
    },
    errorClass,
  );
}
