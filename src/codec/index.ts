export { Memory } from './memory.js';
export { Encoder } from './encoder.js';
export { Decoder, type Surroundings } from './decoder.js';
export { decodeBytes, encodeToBytes } from './bytes.js';
export { decodeLater, functionIfLoaded, functionAtOnce, NotLoadedError } from './functions.js';
