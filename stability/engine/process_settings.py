"""Settings of the whole process, for programs that train many small networks: the page and the benchmark."""

import ctypes
import ctypes.util
import gc

import torch


def configure_process(threads: int = 1) -> None:
    """Call once, at the start. Affects speed alone, never a result.

    One thread: two are up to 1.8 times faster alone, but many times slower when another process wants the same cores.
    Memory: glibc hands each freed activation back to the system and takes it again at the next step, which costs more
    than the arithmetic; M_MMAP_THRESHOLD (-3) and M_TRIM_THRESHOLD (-1) of mallopt(3) tell it to keep up to 1 GiB.
    Garbage: everything imported so far is set aside, so that a full collection need not walk through torch.
    """
    torch.set_num_threads(threads)
    libc = ctypes.CDLL(ctypes.util.find_library("c"))
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(-3, 2**30)
        libc.mallopt(-1, 2**30)
    gc.collect()
    gc.freeze()
