// An idle process that notes when something reaches it, by the monotonic clock all processes share.
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

export async function awaitEvent(event, done, count) {
  const times = [];
  done.value = -1;
  while (done.value !== 0) await new Promise((go) => setTimeout(go, 1));
  for (let i = 0; i < count; i++) {
    await event.wait();
    times.push(process.hrtime.bigint());
    event.clear();
    done.value = i + 1;
  }
  return times;
}

/** `receive`: the name of the method that waits. */
export async function awaitMessage(source, receive, done, count) {
  const times = [];
  done.value = -1;
  while (done.value !== 0) await new Promise((go) => setTimeout(go, 1));
  for (let i = 0; i < count; i++) {
    await source[receive]();
    times.push(process.hrtime.bigint());
    done.value = i + 1;
  }
  return times;
}

export async function awaitLock(lock, done, count) {
  const times = [];
  done.value = -1;
  while (done.value !== 0) await new Promise((go) => setTimeout(go, 1));
  for (let i = 0; i < count; i++) {
    const guard = await lock.acquire();
    times.push(process.hrtime.bigint());
    guard.release();
    done.value = i + 1;
    while (done.value !== -1) await new Promise((go) => setTimeout(go, 1)); // the other has it again
    done.value = 0;
  }
  return times;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  process.send('ready');
  process.on('message', () => process.send(String(process.hrtime.bigint())));
}
