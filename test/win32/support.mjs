import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test as nodeTest } from 'node:test';
import * as mp from '../../lib/index.js';

export { assert, mp };
/** A test that does not end fails; a thread that is blocked is ended, with the file, by scripts/test-wine.mjs. */
export const test = (name, body, timeout = 30_000) => nodeTest(name, { timeout }, body);

const native = createRequire(import.meta.url)('../../prebuilds/win32-x64/multiproc.node');
/** How many handles this process has: as the system counts them or, as Wine does not, where new ones end up. */
export function handleCount() {
  const count = native.handleCount();
  if (count > 0) return count;
  const bells = Array.from({ length: 200 }, () => native.bellCreate()); // more than there are holes
  for (const bell of bells) native.fdClose(bell);
  return Math.max(...bells);
}

/** Whether a process runs; a pid that is somebody else's by now would say so, too. */
export function runs(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export async function until(condition, ms = 10_000) {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return true;
}

export async function textOf(stream) {
  let text = '';
  for await (const piece of stream) text += piece;
  return text;
}
