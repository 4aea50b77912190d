"""How fast measurements and the reading of records are, as ratios within one run: ``make bench``.

Prints tables on standard output and what it is at on standard error; nothing here fails on a slow machine. Everything
runs on one thread, for the targets are per core; records are read ahead in as many as the table says.
"""

import argparse
from collections.abc import Callable, Mapping

import numpy as np
import torch
from against_libraries import against_libraries
from against_sort import against_sort
from each_calibrator import each_calibrator
from each_family import each_family
from growth import growth
from reading import reading
from threadpoolctl import threadpool_limits
from timing import print_machine

TABLES: Mapping[str, Callable[[], None]] = {
    "sort": against_sort,
    "libraries": against_libraries,
    "growth": growth,
    "families": each_family,
    "calibrators": each_calibrator,
    "reading": reading,
}


def free_a_large_array() -> None:
    """Bring the memory allocator into the state that it has in a worker.

    In a fresh process glibc fetches every array above 128 KiB from the kernel anew, page by page, until a large one has
    been freed; arrays up to the size of that one are then reused. Loading images or running a network does this in a
    worker. One of 32 MiB or more would not: it is above the limit up to which glibc adapts.
    """
    np.ones((16 << 20) // 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=[*TABLES], help="which tables")
    chosen = parser.parse_args().tables
    torch.set_num_threads(1)
    free_a_large_array()
    with threadpool_limits(1):
        print_machine()
        for name in chosen:
            TABLES[name]()


if __name__ == "__main__":
    main()
