"""How much of everything is measured."""

import attrs


@attrs.frozen
class Size:
    """How much work to do.

    Attributes:
        pairs: How many pairs a ratio is the median of; fewer if a pair takes seconds. Many small pairs reduce
            the influence of other processes.
        calls: How many calls make a batch of ours.
        slow_calls: How many make a batch of a way that is many times slower.
        pages: How many pages the prefetched list has.
        keys: The numbers of keys for which the memory is measured.
        in_flight: The numbers of calls in flight for which the latency is measured.
    """

    pairs: int
    calls: int
    slow_calls: int
    pages: int
    keys: tuple[int, ...]
    in_flight: tuple[int, ...]


FULL = Size(40, 500, 50, 1_000, (10**3, 10**4, 10**5, 10**6), (64, 512, 4_096))
QUICK = Size(3, 250, 25, 20, (10**3, 10**4), (512,))
SMALLEST = Size(1, 20, 5, 4, (10, 100), (8,))
