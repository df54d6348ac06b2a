import { execFileSync } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { scriptFile } from '../support/child.js';
import { canMount, inNamespace } from '../support/namespace.js';
import { removeNames, uniqueName } from '../support/names.js';

afterEach(removeNames);

const head = `
import { closeSync, openSync, readdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { SharedArray, SharedMemory, ShareableList } from 'multiproc';
const name = process.argv[2];
const codeOf = (f) => { try { f().close?.(); return 'fine' } catch (e) { return e.code } };
const rejected = (p) => p.then(() => 'fine', (e) => e.code);
const out = (value) => console.log(JSON.stringify(value));
const free = () => statfsSync('/dev/shm').bfree;
const no = 'ERR_MP_MEMORY';
`;

test('full /dev/shm: an error at creation, and nothing left behind', ({ skip }) => {
  if (!canMount()) skip('mount namespaces are not permitted here');
  const script = scriptFile(`${head}
    const before = free();
    const got = [codeOf(() => SharedArray.create('a', [64 << 20], 'uint8'))];             // more than all
    got.push(codeOf(() => new SharedMemory({ name: 'm', create: true, size: 64 << 20 })));
    got.push(codeOf(() => new ShareableList(['x'.repeat(64 << 20)], { name: 'l' })));
    got.push(await rejected(SharedArray.createAsync('a', [64 << 20], 'uint8')));
    got.push(free() === before, readdirSync('/dev/shm').length);
    const half = SharedArray.create('half', [6 << 20], 'uint8');
    half.data.fill(1);
    got.push(codeOf(() => SharedArray.create('a', [3 << 20], 'uint8')));                   // more than what is left
    got.push(codeOf(() => SharedArray.create('half', [3 << 20], 'uint8', { ifExists: 'replace' })), half.at(-1));
    let count = 0;
    for (; codeOf(() => SharedArray.create('small' + count, [1000], 'uint8')) === 'fine'; count++);
    for (let i = 0; codeOf(() => new SharedMemory({ name: 'fill' + i, create: true, size: 1 })) === 'fine'; i++);
    got.push(count > 100, free());
    got.push(codeOf(() => SharedArray.create('a', [1], 'uint8')), codeOf(() => SharedArray.create('a', [1], 'uint8', { reserve: false })));
    got.push(codeOf(() => new SharedMemory({ create: true, size: 1 })), codeOf(() => new ShareableList([1], { name: 'l' })));
    for (let i = 0; i < count; i++) SharedArray.delete('small' + i);
    for (const x of SharedMemory.list()) SharedMemory.delete(x.name);
    got.push(codeOf(() => SharedArray.create('a', [1 << 20], 'uint8')));
    SharedArray.delete('a'); SharedArray.delete('half'); half.close();
    got.push(free() === before, readdirSync('/dev/shm').length);
    out(got);`);
  const command = `mount -t tmpfs -o size=8m tmpfs /dev/shm && ${process.execPath} ${script} x`;
  const got = inNamespace(command);
  const no = 'ERR_MP_MEMORY';
  expect(JSON.parse(got)).toEqual([
    no,
    no,
    no,
    no,
    true,
    0,
    no,
    no,
    1,
    true,
    0,
    no,
    no,
    no,
    no,
    'fine',
    true,
    0,
  ]);
});

test('without /dev/shm: an error that says so, and files work', ({ skip }) => {
  if (!canMount()) skip('mount namespaces are not permitted here');
  const script = scriptFile(`${head}
    const messageOf = (f) => { try { f(); return 'fine' } catch (e) { return e.code + ' ' + e.message } };
    const got = [messageOf(() => SharedArray.create('a', [1])), messageOf(() => new SharedMemory({ create: true, size: 1 }))];
    got.push(SharedArray.list(), codeOf(() => SharedArray.attach('a')));
    const file = 'file:///tmp/' + name;
    const a = SharedArray.create(file, [1000]);
    a.data[1] = 1;
    got.push(SharedArray.attach(file).at(1));
    SharedArray.delete(file);
    out(got);`);
  const device = 'touch /mnt/$d && mount --bind /dev/$d /mnt/$d';
  const bare = `mount -t tmpfs tmpfs /mnt && for d in null zero random urandom; do ${device}; done && mount --rbind /mnt /dev`;
  const got = JSON.parse(
    inNamespace(`${bare} && ${process.execPath} ${script} ${uniqueName()}`),
  ) as unknown[];
  expect(got[0]).toMatch(/ERR_MP_UNSUPPORTED.*no \/dev\/shm.*file/);
  expect(got[1]).toMatch(/ERR_MP_UNSUPPORTED.*no \/dev\/shm/);
  expect(got.slice(2)).toEqual([[], 'ERR_MP_NOT_FOUND', 1]);
});

test("more memory than the control group allows: an error at creation, not the kernel's killer later", ({
  skip,
}) => {
  if (!canMount()) skip('mount namespaces are not permitted here');
  const script = scriptFile(`${head}
    const got = [codeOf(() => SharedArray.create(name, [512 << 20], 'uint8'))];
    got.push(await rejected(SharedArray.createAsync(name, [512 << 20], 'uint8')));
    got.push(codeOf(() => new SharedMemory({ name, create: true, size: 512 << 20 })));
    got.push(codeOf(() => SharedArray.create(name, [1 << 20], 'uint8')));
    SharedArray.delete(name);
    out(got);`);
  // What a limited group's files say, seen by this script only: nobody is moved to another group.
  const group = '/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)';
  const limit = `mkdir -p ${group} && echo ${128 << 20} > ${group}/memory.max && echo 0 > ${group}/memory.current`;
  const mounted = `mount -t tmpfs tmpfs /sys/fs/cgroup && ${limit}`;
  expect(JSON.parse(inNamespace(`${mounted} && ${process.execPath} ${script} ${uniqueName()}`))).toEqual([
    'ERR_MP_MEMORY',
    'ERR_MP_MEMORY',
    'ERR_MP_MEMORY',
    'fine',
  ]);
});

test('ulimit -f: an error, not SIGXFSZ', async () => {
  const script = scriptFile(`${head}
    out([codeOf(() => SharedArray.create(name, [64 << 20], 'uint8')), codeOf(() => SharedArray.create(name, [1000], 'uint8'))]);
    SharedArray.delete(name);`);
  const command = `ulimit -f 20000; ${process.execPath} ${script} ${uniqueName()}`;
  const got = execFileSync('sh', ['-c', command], { encoding: 'utf8' });
  expect(JSON.parse(got)).toEqual(['ERR_MP_MEMORY', 'fine']);
});

test('no descriptors left: a clear error, nothing leaked, and it works again afterwards', async () => {
  const script = scriptFile(`${head}
    const there = SharedArray.create(name, [10], 'uint8');
    there.close();
    await SharedArray.createAsync(name + 'b', [10], 'uint8').then((a) => a.close());
    SharedArray.delete(name + 'b');
    const before = readdirSync('/proc/self/fd').length;
    const uses = [
      () => SharedArray.create(name + 'x', [10], 'uint8'), () => SharedArray.create(name, [10], 'uint8', { ifExists: 'attach' }),
      () => SharedArray.attach(name), () => SharedArray.list(), () => new SharedMemory({ create: true, size: 10 }),
      () => new SharedMemory({ name: 'multiproc.array.' + name }), () => new ShareableList([1]), () => SharedArray.delete('file:///tmp/none'),
    ];
    const fds = [];
    try { for (;;) fds.push(openSync('/dev/null')) } catch {}
    const got = uses.map(codeOf);
    got.push(await rejected(SharedArray.createAsync(name + 'x', [10], 'uint8')));
    closeSync(fds.pop());                      // with one
    got.push(...uses.slice(0, 3).map(codeOf));
    for (const fd of fds) closeSync(fd);
    got.push(readdirSync('/proc/self/fd').length - before);
    SharedArray.delete(name); SharedArray.delete(name + 'x');
    out(got);`);
  const command = `ulimit -n 64; ${process.execPath} ${script} ${uniqueName()}`;
  const got = JSON.parse(execFileSync('sh', ['-c', command], { encoding: 'utf8' })) as unknown[];
  expect(new Set(got.slice(0, 9))).toEqual(new Set(['ERR_MP_DESCRIPTORS']));
  expect(got.slice(9)).toEqual(['fine', 'fine', 'fine', 0]);
});
