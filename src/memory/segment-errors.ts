/** What goes wrong with named segments, in words: which call on which name, why, and what to do. */
import { MultiprocessingError } from '../errors.js';
import { rangeError } from '../native/arguments.js';
import type { SegmentProblem } from '../native/segment-binding.js';
import type { SegmentPlace } from './segment-name.js';

interface SystemFailure extends Error {
  errno?: string;
  syscall?: string;
}

export function errnoOf(error: unknown): string | undefined {
  return (error as SystemFailure | undefined)?.errno;
}

const failures: Record<string, [code: string, text: string]> = {
  EEXIST: ['ERR_MP_EXISTS', 'the name is taken'],
  ENOENT: ['ERR_MP_NOT_FOUND', 'there is nothing of that name'],
  ENOTDIR: ['ERR_MP_NOT_FOUND', 'there is no such directory'],
  EACCES: ['ERR_MP_ACCESS', 'this user may not open it: it belongs to another one, or its mode forbids it'],
  EPERM: ['ERR_MP_ACCESS', 'this user may not do that: it belongs to another one'],
  EROFS: ['ERR_MP_ACCESS', 'the file system is read-only'],
  EISDIR: ['ERR_MP_DAMAGED', 'the name is a directory'],
  ELOOP: ['ERR_MP_DAMAGED', 'the name is a symbolic link; those are not followed'],
  ENODEV: ['ERR_MP_DAMAGED', 'the name is not of a plain file'],
  ENOMEM: ['ERR_MP_MEMORY', 'there is not so much memory available; free some, or make it smaller'],
  ENOSPC: ['ERR_MP_MEMORY', 'there is not so much space left there; delete something, or make it smaller'],
  EDQUOT: ['ERR_MP_MEMORY', "this user's disk quota does not allow so much"],
  EFBIG: ['ERR_MP_MEMORY', 'files of that size are not allowed here (ulimit -f)'],
  EMFILE: ['ERR_MP_DESCRIPTORS', 'this process has no descriptor left (ulimit -n); close something'],
  ENFILE: ['ERR_MP_DESCRIPTORS', 'the system has no descriptor left'],
  ENOSYS: ['ERR_MP_UNSUPPORTED', 'objects with a name are not made for this system yet'],
  EOPNOTSUPP: ['ERR_MP_UNSUPPORTED', 'this JavaScript runtime cannot use shared memory'],
};

/** The error of a failed creation. */
export function creationFailure(error: unknown, what: string, place: SegmentPlace): unknown {
  if (errnoOf(error) !== 'ENOENT') return segmentFailure(error, what);
  return new MultiprocessingError(
    place.isPath ? 'ERR_MP_NOT_FOUND' : 'ERR_MP_UNSUPPORTED',
    place.isPath
      ? `${what}: there is no such directory`
      : `${what}: this system has no /dev/shm; use a SharedArray in a file ('file://path')`,
    { errno: 'ENOENT', syscall: 'open', cause: error },
  );
}

/** A failed system call as the package's error; other errors as they are. */
export function segmentFailure(error: unknown, what: string): unknown {
  const { errno, syscall, message } = error as SystemFailure;
  if (errno === undefined || syscall === undefined) return error;
  if (errno === 'ENAMETOOLONG') return rangeError(`${what}: the name is too long`);
  const [code, text] = failures[errno] ?? ['ERR_MP_SYSTEM', 'the system refused'];
  return new MultiprocessingError(code, `${what}: ${text} (${message})`, { errno, syscall, cause: error });
}

export function segmentProblem(
  { problem, version, fileSize }: SegmentProblem,
  what: string,
  kindName: string,
): MultiprocessingError {
  const damaged = (text: string): MultiprocessingError =>
    new MultiprocessingError('ERR_MP_DAMAGED', `${what}: ${text}`);
  const remedy =
    kindName === 'Lock' ? 'Lock.delete() it' : `delete it, or create it again with ifExists: 'replace'`;
  switch (problem) {
    case 'other_version':
      return new MultiprocessingError(
        'ERR_MP_LAYOUT_VERSION',
        `${what}: it was made by a version of multiproc with another layout (${version}); use that one, or ${remedy}`,
      );
    case 'other_libc':
      return new MultiprocessingError(
        'ERR_MP_LAYOUT_VERSION',
        `${what}: it was made by a Node.js with another C library, or on a system that notices deaths in another way; those cannot share locks`,
      );
    case 'too_big':
      return new MultiprocessingError(
        'ERR_MP_MEMORY',
        `${what}: its ${fileSize} bytes are more than a buffer of this Node.js can hold`,
      );
    case 'unready':
      return damaged('another process is still making it; try again');
    case 'abandoned':
      return damaged(`it was never finished: its creator died; ${remedy}`);
    case 'truncated':
      return damaged(`somebody made it shorter than it says it is (now ${fileSize} bytes); ${remedy}`);
    case 'damaged':
      return damaged(`somebody overwrote its header; ${remedy}`);
    case 'other_kind':
      return damaged(`it is not a ${kindName}, but another object of multiproc`);
    case 'too_short':
    case 'not_ours':
      return damaged(
        kindName === 'SharedMemory'
          ? 'it is empty: its creator has not given it a size (yet)'
          : `it is not a ${kindName} of multiproc`,
      );
  }
}
