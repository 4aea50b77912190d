"""Memory that was freed is reused by a worker, and not fetched from the kernel page by page."""

import platform
import subprocess
import sys

import pytest

PAGES = """
import resource
import numpy as np
from harness.runner.memory import keep_freed_memory
{first}
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(200):
    [np.ones(60_000) for _ in range(8)]  # half a megabyte each, freed together
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_fetched(first: str) -> int:
    """Pages that a fresh process fetches for 200 times eight arrays."""
    script = PAGES.format(first=first)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what other C libraries do is not known")
def test_arrays_are_made_from_the_memory_of_freed_ones():
    assert pages_fetched("keep_freed_memory()") * 10 < pages_fetched("")
