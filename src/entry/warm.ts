/** Nothing: imported for the sake of importing. */
export { nothing } from '../process/forkserver/rehearsal.js';
