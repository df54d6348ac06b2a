import 'typescript';
export { stamp, stay } from './stamp.mjs';
