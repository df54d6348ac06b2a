/** Takes what `npx multiproc run` has added off the command line, before anybody looks at it. */
const added = Number(process.env.MULTIPROC_RUN);
delete process.env.MULTIPROC_RUN;
process.execArgv.splice(0, added);

export const isRun = added > 0;
