/**
 * What a message looks like: a header byte, one value, and the content of those values that are too deep in it. Little
 * endian. A value is a tag byte, then
 *
 *   int8       1 byte                      int32, double   4 and 8 bytes
 *   short      u8 n, n latin1 bytes        latin1          u32 n, n latin1 bytes
 *   utf16      u32 n, padding to an even position, n code units
 *   bigint     i64                         longBigint      u8 whether negative, its hexadecimal digits (a value)
 *   object     u32 distance from here to its keys, values, keys
 *     keys     i32 hash, u16 n, n bytes of (u8 length, latin1) each: a key block; or i32 0, u32 count, the keys (values)
 *   array      u32 n, n values; in place of one, holes: u32 count, (u32 index, value) each, and no more values
 *   ints       u32 n, padding to 4, n * 4  doubles         u32 n, padding to 8, n * 8: arrays of only such numbers
 *   map, set   u32 count, (key, value) or value each
 *   date       double                      regexp          source, flags (values)
 *   boxed      the primitive (a value)     exception       message, name, stack (values): a DOMException
 *   error      u8 class, u8 which of these it has: message, stack, cause, errors (values)
 *   buffer     u32 n, n bytes              largeBuffer     u32 index, double n: the bytes go beside the message
 *   arrayBuffer, largeArrayBuffer          the same        resizable   double maximum, one of the two (a value)
 *   view       u8 kind, u8 whether its length is its buffer's, double offset, double length, its ArrayBuffer (a value)
 *   shared     u32 index                   function        module, export, hash or null (values)
 *   ref        u32 n: the object that was met as the nth, from 0, in this message
 *   later      the tag of an object, map, set, array or error (with its class): empty for now. What is in it follows
 *              after the value, as a value of its own, in the order of the laters
 *
 * The bit `named` in an array's tag says that properties follow its elements: u32 count, (key, value) each. Only a graph has
 * `ref` and `later`: who reads a tree need not remember what it has made.
 */
export const tree = 0xb0;
export const graph = 0xb1;

export const tUndefined = 1;
export const tNull = 2;
export const tTrue = 3;
export const tFalse = 4;
export const tInt8 = 5;
export const tInt32 = 6;
export const tDouble = 7;
export const tShort = 8;
export const tLatin1 = 9;
export const tUtf16 = 10;
export const tObject = 11;
export const tArray = 12;
export const tInts = 13;
export const tDoubles = 14;
export const tBigint = 15;
export const tLongBigint = 16;
export const tHoles = 17;
export const tMap = 19;
export const tSet = 20;
export const tDate = 21;
export const tRegexp = 22;
export const tBoxed = 23;
export const tError = 24;
export const tException = 25;
export const tBuffer = 26;
export const tLargeBuffer = 27;
export const tArrayBuffer = 28;
export const tLargeArrayBuffer = 29;
export const tResizable = 30;
export const tView = 31;
export const tShared = 32;
export const tFunction = 33;
export const tRef = 34;
export const tLater = 35;
export const named = 0x80;

/** Strings up to this many latin1 characters are written and read without leaving JavaScript. */
export const shortLength = 24;
/** From here on an array of numbers only is written as such. */
export const packedFrom = 8;
/** Containers inside each other up to here are written where they stand, deeper ones later: both sides recurse. */
export const depthLimit = 200;
/** Each keeps a reservation of address space, of which a process has a limited number. */
export const resizableLimit = 1024;

/** By position: a newer Node may add kinds at the end. */
export const viewNames = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'DataView',
  'Float16Array',
] as const;

export const errorNames = [
  'Error',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
  'AggregateError',
] as const;
export const errorHas = { message: 1, stack: 2, cause: 4, errors: 8 } as const;

/** Of a key block, to find its shape by; never 0. */
export function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, 16777619);
  return hash | 1;
}
