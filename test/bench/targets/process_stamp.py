# CPython, start method argv[1]: for each line of input a process, and the ms until its first line of user code and until
# its join.
import multiprocessing
import sys
import time


def stamp(out):
    out.send_bytes(str(time.monotonic_ns()).encode())


if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    source, out = multiprocessing.Pipe(False)
    for _ in sys.stdin:
        began = time.monotonic_ns()
        process = multiprocessing.Process(target=stamp, args=(out,))
        process.start()
        first_line = int(source.recv_bytes()) - began
        process.join()
        print(first_line / 1e6, (time.monotonic_ns() - began) / 1e6, flush=True)
