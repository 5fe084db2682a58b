"""Lets errors be kept: without what they hold of the frames that they came through."""


def forget_frames(error: BaseException) -> None:
    """Drop the tracebacks of an error and of what led to it: they hold 16 kB of frames, a million times."""
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is not None and link.__traceback__ is not None:
            link.__traceback__ = None
            links += [link.__cause__, link.__context__]
