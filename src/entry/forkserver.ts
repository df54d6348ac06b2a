/**
 * What a forkserver runs. The whole package is imported: its children find it loaded, and compiled to the last function,
 * as each of them would compile again what the server has not.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-lazy');
const { serve } = await import('../process/forkserver/server.js');
await import('../index.js');
setFlagsFromString('--lazy');

void serve();
