"""Puts loads on a pool of CPython: see pool-load.mjs."""
import concurrent.futures
import hashlib
import json
import multiprocessing as mp
import os
import sys
import threading
import time


def nothing(x=None):
    pass


def echo(x):
    return x


def increment(n):
    return n + 1


def hash_file(name):
    with open(name, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def hold(ms):
    time.sleep(ms / 1000)
    return os.getpid()


ARGUMENTS = {"nothing": None, "echo": list(range(100))}


class Pool:
    def __init__(self, workers):
        self.workers = workers
        self.pool = mp.Pool(workers)

    def submit(self, task, x, done=None):
        return self.pool.apply_async(task, (x,), callback=done).get

    def map(self, task, items):
        return self.pool.map(task, items)

    def end(self):
        self.pool.terminate()


class Executor:
    def __init__(self, workers):
        self.workers = workers
        self.pool = concurrent.futures.ProcessPoolExecutor(workers)

    def submit(self, task, x, done=None):
        future = self.pool.submit(task, x)
        if done is not None:
            future.add_done_callback(done)
        return future.result

    def map(self, task, items):
        # As multiprocessing.Pool does by itself: 1 is far slower.
        return list(self.pool.map(task, items, chunksize=len(items) // (4 * self.workers) + 1))

    def end(self):
        self.pool.shutdown()


def window(pool, task, ms, width=256):
    room = threading.Semaphore(width)
    x = ARGUMENTS[task]
    function = globals()[task]
    count = 0
    start = time.perf_counter()
    while (time.perf_counter() - start) * 1000 < ms:
        for _ in range(16):
            room.acquire()
            pool.submit(function, x, lambda _: room.release())
            count += 1
    for _ in range(width):
        room.acquire()
    return count / (time.perf_counter() - start) / 1000


def burst(pool, task, count):
    x = ARGUMENTS[task]
    function = globals()[task]
    start = time.perf_counter()
    results = [pool.submit(function, x) for _ in range(count)]
    for result in results:
        result()
    return count / (time.perf_counter() - start) / 1000


def serial(pool, task, ms):
    function = globals()[task]
    count = 0
    start = time.perf_counter()
    while count == 0 or (time.perf_counter() - start) * 1000 < ms:
        pool.submit(function, None)()
        count += 1
    return (time.perf_counter() - start) * 1e6 / count


def map_(pool, count, _=None):
    ints = list(range(count))
    start = time.perf_counter()
    results = pool.map(increment, ints)
    rate = count / (time.perf_counter() - start) / 1000
    assert len(results) == count and results[-1] == count
    return rate


def hash_(pool, folder):
    files = [os.path.join(folder, name) for name in os.listdir(folder)]
    start = time.perf_counter()
    results = [pool.submit(hash_file, name) for name in files]
    hashes = [result() for result in results]
    ms = (time.perf_counter() - start) * 1000
    assert hashes[0] == hash_file(files[0])
    return ms


def open_(setting):
    classes = {"multiprocessing.Pool": Pool, "ProcessPoolExecutor": Executor}
    return classes[setting["pool"]](setting["workers"])


KINDS = {"window": window, "burst": burst, "serial": serial, "hash": hash_, "map": map_}

if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    opened = open_(request["setting"])
    burst(opened, "nothing", 200)
    for kind, *args in request["loads"]:
        KINDS[kind](opened, *args)  # as there
    print(json.dumps([KINDS[kind](opened, *args) for kind, *args in request["loads"]]))
    opened.end()
