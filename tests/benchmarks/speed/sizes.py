"""How much of everything is measured."""

import attrs


@attrs.frozen
class Size:
    """How much work to do.

    Attributes:
        pairs: How many pairs a ratio is the median of; fewer where a pair takes seconds. Many small ones bear
            with a machine that does other things.
        calls: How many calls make a batch of ours.
        slow_calls: How many make one of a way that is many times slower.
        pages: How long the list is that is fetched ahead.
        keys: Over how many keys the memory is looked at.
        in_flight: At how many calls in flight the latency is looked at.
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
