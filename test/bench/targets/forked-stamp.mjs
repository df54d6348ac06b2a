// The same, started by child_process.fork; with an argument it loads typescript first.
if (process.argv[2]) await import('typescript');
process.send(String(process.hrtime.bigint()));
process.disconnect();
