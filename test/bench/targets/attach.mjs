// Opens each of many arrays of another process, or thread, and closes them: microseconds for one of each.
import { open } from 'multiproc';
import { median } from '../support.mjs';

function once(handles) {
  const opened = [];
  const start = performance.now();
  for (const handle of handles) opened.push(open(handle));
  const between = performance.now();
  for (const array of opened) array.close();
  const end = performance.now();
  const each = (ms) => (ms * 1e3) / handles.length;
  return { open: each(between - start), close: each(end - between) };
}

/** In the middle of some rounds, after some more: as in a program that attaches to many. */
export function attach(handles, rounds) {
  for (let i = 0; i < rounds; i++) once(handles);
  const got = Array.from({ length: rounds }, () => once(handles));
  return { open: median(got.map((x) => x.open)), close: median(got.map((x) => x.close)) };
}
