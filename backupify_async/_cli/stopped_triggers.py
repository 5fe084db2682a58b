"""The triggers in doubt at the end of a command, for the messages about those that were interrupted."""

from collections.abc import Iterable, Sequence

from backupify_async.events import Event, TriggerStopped
from backupify_async.ids import InstanceId, instance_key
from backupify_async.models import SentTrigger, TriggerKind, TriggerResult


class StoppedTriggers:
    """Collects the triggers that were stopped and whose outcome is in doubt, as the client's event hook."""

    def __init__(self) -> None:
        self._stopped: dict[str, SentTrigger | None] = {}
        self._recorded: dict[str, SentTrigger] = {}

    def add_recorded(self, triggers: Iterable[SentTrigger]) -> None:
        """Add triggers of a previous run that are in doubt, and still to be reconciled."""
        self._recorded.update((instance_key(one.instance_id), one) for one in triggers)

    def __call__(self, event: Event) -> None:
        """Record a trigger that was stopped."""
        if isinstance(event, TriggerStopped):
            self._stopped[instance_key(event.instance_id)] = event.in_doubt

    def known_result(self, instance_id: InstanceId) -> TriggerResult | None:
        """The result of a trigger that was accepted, and only the check of its backup was interrupted."""
        trigger = self._in_doubt(instance_id)
        accepted = trigger is not None and trigger.accepted and not self._is_recorded(trigger)
        return TriggerResult(TriggerKind.STARTED, None) if accepted else None

    def interrupted_messages(self, instance_ids: Sequence[InstanceId], remaining: str | None) -> list[str]:
        """Messages about triggers that were interrupted, and about the ids that were not begun."""
        in_doubt = {one: trigger for one in instance_ids if (trigger := self._in_doubt(one)) is not None}
        messages = [f"instance {one}: {self._describe(trigger)}" for one, trigger in in_doubt.items()]
        unsent = [str(one) for one in instance_ids if one not in in_doubt]
        instances = f"instance{'' if len(unsent) == 1 else 's'} {', '.join(unsent)}"
        missing = [*([instances] if unsent else []), *([remaining] if remaining else [])]
        return [*messages, f"not triggered: {', and '.join(missing)}"] if missing else messages

    def _in_doubt(self, instance_id: InstanceId) -> SentTrigger | None:
        key = instance_key(instance_id)
        return self._stopped.get(key, self._recorded.get(key))

    def _is_recorded(self, trigger: SentTrigger) -> bool:
        return self._recorded.get(instance_key(trigger.instance_id)) == trigger

    def _describe(self, trigger: SentTrigger) -> str:
        if self._is_recorded(trigger):
            return "sent by a previous run, a backup may or may not have started"
        if trigger.accepted:
            return "started; the check of its backup was interrupted"
        return "interrupted, a backup may or may not have started"
