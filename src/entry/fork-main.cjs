// What `npx multiproc run` has Node require first. Node does so in all its threads, also in the one for loaders, where some
// versions can require no ES module.
const { isMainThread } = require('node:worker_threads');
if (isMainThread) require('./fork-main.js');
