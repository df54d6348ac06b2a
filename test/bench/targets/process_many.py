"""So many processes (argv[2]) of a start method of CPython (argv[1]) at once: milliseconds until all have ended."""
import multiprocessing as mp
import sys
import time


def nothing():
    pass


if __name__ == "__main__":
    context = mp.get_context(sys.argv[1])
    first = context.Process(target=nothing)
    first.start()
    first.join()
    start = time.perf_counter()
    many = [context.Process(target=nothing) for _ in range(int(sys.argv[2]))]
    for process in many:
        process.start()
    for process in many:
        process.join()
    print((time.perf_counter() - start) * 1000)
