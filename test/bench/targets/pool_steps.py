"""Takes a pool of CPython through its life: see pool-steps.mjs."""
import gc
import json
import sys
import time

import pool_load

if __name__ == "__main__":
    setting = json.loads(sys.argv[1])
    for line in sys.stdin:
        step, *args = json.loads(line)
        start = time.perf_counter()
        if step == "open":
            pool = pool_load.open_(setting)
        elif step == "burst":
            task, count, *x = args
            function = getattr(pool_load, task)
            results = [pool.submit(function, *(x or [None])) for _ in range(count)]
            for result in results:
                result()
            del results, result
        elif step == "rest":
            gc.collect()
            time.sleep(args[0] / 1000)
        else:
            pool.end()
        print((time.perf_counter() - start) * 1000, flush=True)
