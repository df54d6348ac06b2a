/** Values as the bytes of a message, for a peer that may be another process tree, or on another machine. */
import { decodeBytes, encodeToBytes } from '../codec/bytes.js';
import { damaged } from '../codec/failures.js';
import { pathTo } from '../codec/refusal.js';
import { MultiprocessingError } from '../errors.js';
import { toHandle } from '../transfer/handle.js';

const noFunctions =
  'functions cannot be sent over a socket, whose other side may not have their modules. Send what tells it which one to call';

/** Throws ERR_MP_CLONE with the path of what cannot be cloned, or is shared memory or code: the peer may not have that. */
export function encodeValue(value: unknown): Uint8Array {
  const { bytes, shared } = encodeToBytes(value, 'value', noFunctions);
  if (shared.length === 0) return bytes;
  const [first] = shared;
  first![toHandle](); // what cannot be sent anywhere says so itself
  throw new MultiprocessingError(
    'ERR_MP_CLONE',
    `value${pathTo(value, (part) => part === first) ?? ''} is a shared ${first!.constructor.name}: it cannot be sent over ` +
      'a socket, whose other side may not have its memory. Send it by a Pipe, a Queue or as an argument of a Process, ' +
      'or its contents',
  );
}

/** Throws ERR_MP_DAMAGED for bytes that encodeValue() did not write: no stranger names a function of ours. */
export function decodeValue(bytes: Uint8Array): unknown {
  return decodeBytes(bytes, { shared: [], large: [], functionOf: refuseFunction });
}

function refuseFunction(): never {
  throw damaged('it has a function in it, which no socket carries');
}
