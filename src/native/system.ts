/** What differs by system in TypeScript asks here. */

/** Descriptors of the addon's are not Node's there, pipes have names, and nobody catches a signal that ends. */
export const onWindows = process.platform === 'win32';
