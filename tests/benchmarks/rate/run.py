"""What a run leaves behind, whoever made it."""

import attrs


@attrs.define
class Run:
    """What one client did against one server.

    Attributes:
        seconds: When its last answer came.
        answers: When the server answered each call, and with which status.
        finished: Whether every call was let pass in the time that there was.
    """

    seconds: float = 0.0
    answers: list[tuple[float, int]] = attrs.field(factory=list)
    finished: bool = False

    @property
    def refused(self) -> float:
        """The refused share of all that was sent."""
        return sum(status == 429 for _, status in self.answers) / max(1, len(self.answers))
