import workerpool from 'workerpool';
import * as tasks from './pool-tasks.mjs';

workerpool.worker({ ...tasks });
