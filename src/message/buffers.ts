/** The two buffers that messages go through on their way to and from native code, as the codec sees them. */
import { Memory } from '../codec/memory.js';
import { native } from '../native/load.js';

const [outBuffer, inBuffer] = native.messageBuffers();

/** Records that are to be put. */
export const out = new Memory(outBuffer);
/** Records that were got. */
export const incoming = new Memory(inBuffer);
