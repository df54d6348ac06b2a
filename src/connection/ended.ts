/** The ends of connections, as errors. */
import { ClosedError } from '../errors.js';

/** The other side has closed, and nothing is left to receive. */
export function endOfStream(what: string, peer: string): ClosedError {
  return new ClosedError(
    `${what}: ${peer} has closed its end, or has ended; nothing is left to receive`,
    'ERR_MP_EOF',
  );
}

/** The other side ended in the middle of a message. */
export function cutOff(what: string, peer: string): ClosedError {
  const error = new ClosedError(
    `${what}: ${peer} ended in the middle of a message, whose beginning is lost`,
    'ERR_MP_EOF',
  );
  return Object.assign(error, { cutOff: true });
}

/** The other side is not there to receive any more. */
export function brokenPipe(what: string, peer: string): ClosedError {
  return new ClosedError(
    `${what}: ${peer} has closed its end, or has ended: nobody would receive this`,
    'ERR_MP_BROKEN_PIPE',
  );
}

/** Whether an error says that nothing more will come, and that nothing was lost. */
export function isEnd(error: unknown): boolean {
  return error instanceof ClosedError && error.code === 'ERR_MP_EOF' && !('cutOff' in error);
}
