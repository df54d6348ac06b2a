// CommonJS: the first message would come before an ES module listens.
const { ClusterWorker } = require('poolifier');
const tasks = require('./pool-tasks.mjs');

module.exports = new ClusterWorker({ ...tasks });
