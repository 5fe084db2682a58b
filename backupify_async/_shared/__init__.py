"""One learned limit for many processes: members that take turns at a record in a store.

Theory of operation
===================

A server limits an account, while each process learns the limit for itself: several of them starve each other.
Here they share one limiter (`_transport/rate`), whose whole state is a value of a few kB in a store: a file
on one machine, or Redis for many. This page explains how.

**A turn.** A member reads the record, says what became of its calls, grants slots, and writes the record
(`turn`, pure). A store sees to it that no turn is lost (`store`). No lock is held over an `await`, and no
member is in charge: each can stop at any time.

**Slots have dates.** A slot is the right to send one call, from its date on. It is granted a few milliseconds
ahead, to the member that waits and was served longest ago (`granting`). For the limiter a granted slot is a
call that was sent: so it decides as for one client, whatever the number of members. Members that wait take
the next turn at different times, the one that is served next first; it grants for the others, too, if they
come late, and wakes them.

**Reports.** A call's end is reported a few milliseconds later, a refusal at once (`reporting`). Calls that
have no end yet are part of the record, so the limiter weighs a refusal only when it has heard of all calls
that were sent before it, by any member (`rate/reorder_buffer`).

**While no limit is met, no member asks.** Each has its own limiter, and a share of the calls that one client
has in flight at its start. The member that meets the first refusal, or an announced quota, makes the record's
limiter and wakes the others, which register their calls in flight.

**Time.** The record's times are on a scale that goes on whatever the store's clock does (`time_scale`).

**When something fails.** A member that took no turn for 3 s loses its slots, and a slot that was not used a
second after its date is void. A store that is away leaves each member its share of 0.9 of the last rate
(`fallback`). A store that was emptied gets the record of the first member that notices. What cannot be read
is put aside. `python -m tests.benchmarks.shared` shows what this reaches, and `--faults` what faults cost.

**What it cannot do.** A process that is stopped between taking a slot and sending its call sends late. A
member that comes back from the store's absence is served in full while others are still alone.
"""
