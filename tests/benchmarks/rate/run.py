"""The result of a run, by the session or by the simulation."""

import attrs


@attrs.define
class Run:
    """A run of one client against one server.

    Attributes:
        seconds: When the last response arrived.
        responses: When the server decided on each call, and with which status; `servers.LOST` for none.
        finished: Whether all calls ended in time.
        failed: How many calls ended with an error.
        rivals: The runs of other clients meanwhile.
    """

    seconds: float = 0.0
    responses: list[tuple[float, int]] = attrs.field(factory=list)
    finished: bool = False
    failed: int = 0
    rivals: list["Run"] = attrs.field(factory=list)

    @property
    def refused(self) -> float:
        """The share of the requests that were refused."""
        return sum(status != 200 for _, status in self.responses) / max(1, len(self.responses))
