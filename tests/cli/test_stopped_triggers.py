"""What is reported of triggers that were stopped."""

from datetime import UTC, datetime, timedelta

import pytest

from backupify_async._cli.stopped_triggers import StoppedTriggers
from backupify_async.events import TriggerStopped
from backupify_async.models import SentTrigger, TriggerKind, TriggerResult


class TestStoppedTriggers:
    WHEN = datetime(2026, 1, 2, tzinfo=UTC)
    IN_DOUBT = "instance 7: interrupted, a backup may or may not have started"

    def after(self, in_doubt: SentTrigger | None) -> StoppedTriggers:
        stopped = StoppedTriggers()
        stopped(TriggerStopped(7, in_doubt))
        return stopped

    def test_a_trigger_in_doubt_may_have_started_and_the_others_were_not_triggered(self) -> None:
        stopped = self.after(SentTrigger(7, self.WHEN))
        assert stopped.known_result(7) is None
        assert stopped.interrupted_messages([7, "a b", 9], "the 3 ids after 9 in x") == [
            self.IN_DOUBT,
            "not triggered: instances a b, 9, and the 3 ids after 9 in x",
        ]

    def test_a_trigger_that_did_nothing_is_not_triggered(self) -> None:
        assert self.after(None).interrupted_messages([7], None) == ["not triggered: instance 7"]

    def test_an_accepted_trigger_is_started(self) -> None:
        stopped = self.after(SentTrigger(7, self.WHEN, accepted=True))
        assert stopped.known_result(7) == TriggerResult(TriggerKind.STARTED, None)
        assert stopped.interrupted_messages([7], None) == [
            "instance 7: started; the check of its backup was interrupted"
        ]

    @pytest.mark.parametrize("accepted", [False, True])
    def test_a_trigger_of_a_previous_run_may_have_started_until_it_is_reconciled(
        self, accepted: bool
    ) -> None:
        recorded = SentTrigger(7, self.WHEN, accepted=accepted)
        stopped = StoppedTriggers()
        stopped.add_recorded([recorded])
        message = "instance 7: sent by a previous run, a backup may or may not have started"
        assert (stopped.known_result(7), stopped.interrupted_messages([7, 8], None)) == (
            None,
            [message, "not triggered: instance 8"],
        )
        stopped(TriggerStopped(7, recorded))
        assert (stopped.known_result(7), stopped.interrupted_messages([7], None)) == (None, [message])
        stopped(TriggerStopped(7, SentTrigger(7, self.WHEN + timedelta(seconds=30))))
        assert stopped.interrupted_messages([7], None) == [self.IN_DOUBT]
        stopped(TriggerStopped(7, None))
        assert stopped.interrupted_messages([7], None) == ["not triggered: instance 7"]

    def test_without_interrupted_triggers_only_the_remaining_ids_are_named(self) -> None:
        assert StoppedTriggers().interrupted_messages([], "any ids in stdin") == [
            "not triggered: any ids in stdin"
        ]
        assert StoppedTriggers().interrupted_messages([], None) == []
