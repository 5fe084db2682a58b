"""Window models in the states in which several tests begin."""

from backupify_async._transport.rate.window_model import WindowModel


def send(model: WindowModel, now: float, count: int) -> int:
    """Send up to `count` calls now, as far as the model permits; each is accepted at once.

    Returns:
        How many were sent.
    """
    for sent in range(count):
        if model.earliest(now, 0) > now:
            return sent
        model.on_send()
        model.on_success(now, now)
    return count


def blocked_until(model: WindowModel, now: float) -> float:
    """When the present closing ends, with no call in flight. One probe can be sent earlier."""
    model.earliest(now, 0)
    return model.blocked_until


def model_after_an_opening(retry_after: float, accepted: int, at: float = 10.0) -> WindowModel:
    """A model that waited after a refusal. Since the opening `accepted` calls succeeded; one is in flight."""
    model = model_after_one_refusal(retry_after, at)
    opening = at + 0.1 + retry_after
    assert model.earliest(opening, 0) <= opening
    for _ in range(accepted):
        model.on_send()
        model.on_success(opening + 0.1, opening)
    model.on_send()
    return model


def model_of_known_windows(quota: int = 2) -> WindowModel:
    """A model that knows windows of 5 seconds. The last one is spent, and the next begins at 20."""
    model = model_after_an_opening(4.9, quota, at=5.0)
    model.on_refusal(10.7, 10.5, 4.45)
    assert blocked_until(model, 10.7) == 15.0
    assert send(model, 15.0, quota + 1) == quota + 1  # one beyond the quota, which was just learned
    model.on_refusal(15.7, 15.5, 4.45)
    assert blocked_until(model, 15.7) == 20.0
    return model


def model_of_a_wide_opening(quota: int = 3) -> WindowModel:
    """A model of windows of 5 seconds, of which the next begins between 19 and 20."""
    model = model_after_an_opening(5.0, quota)
    model.on_refusal(16.0, 15.9, 4.0)
    return model


def model_after_one_refusal(retry_after: float = 5.0, at: float = 10.0) -> WindowModel:
    """A model after its first refusal, at 10.1. Nothing shows yet whether it concerns all calls."""
    model = WindowModel()
    model.on_send()
    model.on_refusal(at + 0.1, at, retry_after)
    return model
