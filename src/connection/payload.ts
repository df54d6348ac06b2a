/** Values as the bytes of a message, for a peer that may be another process tree, or on another machine. */
import { MultiprocessingError } from '../errors.js';
import { decode, encode } from '../transfer/codec.js';
import type { Handle } from '../transfer/handle.js';
import { pathOf } from '../transfer/scan.js';

/** Throws ERR_MP_CLONE with the path of what cannot be cloned, or is shared memory: the peer may not reach that. */
export function encodeValue(value: unknown): Uint8Array {
  const { bytes, shared } = encode(value, 'value');
  if (shared.length === 0) return bytes;
  const [first] = shared as object[];
  throw new MultiprocessingError(
    'ERR_MP_CLONE',
    `${pathOf(value, 'value', (part) => part === first)} is a shared ${first!.constructor.name}: it cannot be sent over ` +
      'a socket, whose other side may not have its memory. Send it by a Pipe, a Queue or as an argument of a Process, ' +
      'or its contents',
  );
}

/** Throws ERR_MP_DAMAGED for bytes that encodeValue() did not write. */
export function decodeValue(bytes: Uint8Array): unknown {
  return decode(bytes, refuse);
}

/** Opening it would map memory of the sender's choice. */
function refuse(handle: Handle): never {
  throw new MultiprocessingError(
    'ERR_MP_DAMAGED',
    `A message cannot be read: it has the handle of a shared object (${handle.multiproc}), which no socket carries`,
  );
}
