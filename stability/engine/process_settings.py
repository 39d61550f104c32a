"""Settings of the whole process, for programs that train many small networks, such as the page."""

import ctypes
import ctypes.util
import gc
import sys

import torch

SWITCH_SECONDS = 5e-4
YOUNG_OBJECTS = 10_000  # made since the last look for cycles; 700 by default


def configure_process(threads: int = 1) -> None:
    """Make the process fast; call it once, at the start. It never changes a result.

    The default is one thread: two are up to 1.8 times faster on idle cores, but many times slower
    when another process uses the same cores.
    """
    torch.set_num_threads(threads)
    # Torch gives the interpreter away at every operation, and gets it back from a thread that draws
    # after this long: 5 ms by default, ten times what most operations take.
    sys.setswitchinterval(SWITCH_SECONDS)
    # glibc returns each freed activation to the system and requests it again at the next step,
    # which costs more than the arithmetic: M_MMAP_THRESHOLD (-3) and M_TRIM_THRESHOLD (-1) of
    # mallopt(3) let it keep up to 1 GiB. M_ARENA_MAX (-8): threads share two heaps, not
    # one each, as each keeps its peak: a process that trains for many visitors holds a tenth less.
    libc = ctypes.CDLL(ctypes.util.find_library("c"))
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(-3, 2**30)
        libc.mallopt(-1, 2**30)
        libc.mallopt(-8, 2)
    # Exclude all objects imported so far, torch above all, from full garbage collections, and look
    # through the young ones less often: of those that a draw makes, hardly any is part of a cycle.
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
