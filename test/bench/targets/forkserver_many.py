"""So many processes of CPython's forkserver at once: milliseconds until all have ended."""
import multiprocessing as mp
import sys
import time


def nothing():
    pass


if __name__ == "__main__":
    context = mp.get_context("forkserver")
    first = context.Process(target=nothing)
    first.start()
    first.join()
    start = time.perf_counter()
    many = [context.Process(target=nothing) for _ in range(int(sys.argv[1]))]
    for process in many:
        process.start()
    for process in many:
        process.join()
    print((time.perf_counter() - start) * 1000)
