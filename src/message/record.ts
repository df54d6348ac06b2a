/** How a message lies in a ring: the record of native/core/ring.h. */

/** Bits of a record's `meta`. */
export const meta = { wrap: 1, rawBytes: 2, inParcel: 4, handles: 8 } as const;
export const largeShift = 4;
export const referencesShift = 18;
/** How many of either can be said. There is room for fewer. */
export const countMax = (1 << 14) - 1;

/** Bytes of a record before its payload, and of each reference behind it. */
export const headBytes = 8;
export const referenceBytes = 8;

/** The longest record (native/core/queue.h): longer payloads travel in parcels. */
export const recordBytesMax = 64 << 10;
/** Typed arrays of so many bytes have blocks of their own. */
export const largeFrom = 64 << 10;

/**
 * With meta.handles the payload is the value, the handles of its shared objects, and a number: the length of the former. Both
 * begin at a multiple of 8.
 */
export const trailerBytes = 8;
