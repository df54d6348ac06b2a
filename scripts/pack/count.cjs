// The same from CommonJS.
const { Lock, Value } = require('multiproc');

const counter = new Value('int32', 41);
const guard = new Lock().acquireSync();
counter.value += 1;
guard.release();
if (counter.value !== 42) throw new Error(`counted to ${counter.value}`);
console.log('require counts');
