"""What a run leaves behind, whoever made it."""

import attrs


@attrs.define
class Run:
    """What one client did against one server.

    Attributes:
        seconds: When its last answer came.
        answers: When the server judged each call, and with which status; `servers.LOST` is none.
        finished: Whether every call came to its end in the time that there was.
        failed: How many calls ended with an error.
        rivals: What other clients did meanwhile.
    """

    seconds: float = 0.0
    answers: list[tuple[float, int]] = attrs.field(factory=list)
    finished: bool = False
    failed: int = 0
    rivals: list["Run"] = attrs.field(factory=list)

    @property
    def refused(self) -> float:
        """The refused share of all that was sent."""
        return sum(status != 200 for _, status in self.answers) / max(1, len(self.answers))
