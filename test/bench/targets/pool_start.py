"""Starts pools of CPython: see pool-start.mjs."""
import json
import multiprocessing as mp
import sys
import time

import pool_load

if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    setting, count = request["setting"], request["count"]
    mp.set_start_method(request["startMethod"])
    workers = setting["workers"]
    times = []
    for _ in range(count):
        start = time.perf_counter()
        pool = pool_load.open_(setting)
        ready = time.perf_counter() - start
        seen = set()
        while len(seen) < workers:
            for result in [pool.submit(pool_load.hold, 2) for _ in range(workers)]:
                seen.add(result())
        times.append([ready * 1000, (time.perf_counter() - start) * 1000])
        pool.end()
    print(json.dumps(times))
