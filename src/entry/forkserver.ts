/**
 * What a forkserver runs. The whole package is imported: its children find it loaded, and compiled to the last function,
 * as each of them would compile again what the server has not.
 */
import { setFlagsFromString } from 'node:v8';

// libuv has read it by now; children shall have the variable as the program has it.
const ioUring = process.argv[2];
if (ioUring === undefined) delete process.env.UV_USE_IO_URING;
else process.env.UV_USE_IO_URING = ioUring;

setFlagsFromString('--no-lazy');
const { serve } = await import('../process/forkserver/server.js');
await import('../index.js');
setFlagsFromString('--lazy');

void serve();
