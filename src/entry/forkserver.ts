/** What a forkserver runs. The whole package is imported: its children find it loaded. */
import { serve } from '../process/forkserver/server.js';
import '../index.js';

void serve();
