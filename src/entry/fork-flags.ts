/** Takes what `npx multiproc run` has added off the command line, before anybody looks at it. */
const [count, own] = (process.env.MULTIPROC_RUN ?? '').split(' ');
const added = Number(count);
delete process.env.MULTIPROC_RUN;
process.execArgv.splice(0, added);

export const isRun = added > 0;
/** Whether the program was started with a UV_USE_IO_URING of its own. */
export const hasOwnUring = own === 'own';
