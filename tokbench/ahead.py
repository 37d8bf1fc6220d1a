"""Reading ahead: the next slice is read in a thread while this one is worked on.

It pays where reading waits: 48 pictures of a folder behind a URL (20 ms and 2 MB/s each), through
JPEG and PSNR, took 4.0 s instead of 5.8. Files here took 3.3 s instead of 3.9 on two busy cores; a
tar behind a URL, which comes in blocks of megabytes, gained nothing
(`tests/benchmarks/scale.py --only ahead`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
Read = TypeVar("Read")


def read_ahead(
    read: Callable[[T], Read], pieces: Sequence[T], ahead: bool = True
) -> Generator[Read, None, None]:
    """`read` of every piece, in order. While the caller works on one, the next is read, and no
    more: two are held at a time.

    What `read` raises is raised where its result would have come. Close it to stop early; the
    piece that is being read then is waited for. Without `ahead` each is read when asked for.
    """
    if not ahead or len(pieces) < 2:
        yield from map(read, pieces)
        return
    with ThreadPoolExecutor(1, "read-ahead") as reader:
        following = reader.submit(read, pieces[0])
        for piece in pieces[1:]:
            found = following.result()
            following = reader.submit(read, piece)
            yield found
            del found  # the caller's alone while the next is waited for
        yield following.result()
