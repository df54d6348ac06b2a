// Whether a value is what structuredClone() gives.
import { isDeepStrictEqual } from 'node:util';

const latest = 8.64e15;

/**
 * Deep equality does not see which objects are one: the first path to each object, for every path. Neither does it know, before
 * Node 24, that two invalid dates are equal: they are told here, and are valid afterwards.
 */
function identities(root) {
  const seen = new Map();
  const paths = [];
  const walk = (object, path) => {
    if (typeof object !== 'object' || object === null) return;
    const first = seen.get(object);
    if (first !== undefined) return void paths.push(`${path} = ${first}`);
    seen.set(object, path);
    if (object instanceof Map)
      [...object].forEach(([k, v], i) => (walk(k, `${path}.k${i}`), walk(v, `${path}.v${i}`)));
    else if (object instanceof Set) [...object].forEach((v, i) => walk(v, `${path}.s${i}`));
    else if (ArrayBuffer.isView(object)) walk(object.buffer, `${path}.buffer`);
    else if (object instanceof Error) walk(object.cause, `${path}.cause`);
    else if (object instanceof Date && Number.isNaN(object.getTime())) {
      paths.push(`${path} is invalid`);
      object.setTime(latest);
    } else for (const k of Object.keys(object)) walk(object[k], `${path}.${k}`);
  };
  walk(root, '');
  return paths;
}

/** A check of what has come some way; it throws. */
export function sameAs(expected) {
  const paths = identities(expected);
  return (got, way) => {
    const others = identities(got);
    if (!isDeepStrictEqual(got, expected)) throw new Error(`${way}: not equal`);
    if (!isDeepStrictEqual(others, paths)) throw new Error(`${way}: other identities`);
  };
}
