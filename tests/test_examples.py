"""Each example, run as a user runs it, against the simulated server."""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backupify_async import AmbiguousTrigger, Failure, RequestTimeout, SentTrigger
from backupify_async.testing import Fault, SimulatedBackupify, TokenBucket

EXAMPLES = Path(__file__).parents[1] / "examples"


def environment(server: SimulatedBackupify) -> dict[str, str]:
    return {
        **os.environ,
        "BACKUPIFY_CLIENT_ID": "demo",
        "BACKUPIFY_CLIENT_SECRET": "demo",
        "BACKUPIFY_BASE_URL": server.base_url,
    }


def run(server: SimulatedBackupify, example: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / example), *arguments]
    return subprocess.run(
        command, env=environment(server), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.backupify(instances=3, backups=2)
def test_list_backups_lists_the_backups_of_the_named_instances(backupify: SimulatedBackupify) -> None:
    done = run(backupify, "list_backups.py", "2", "1", "99")
    assert [line for line in done.stdout.splitlines() if line.startswith("instance")] == [
        "instance 2: 2 backups",
        "instance 1: 2 backups",
    ]
    assert "instance 99: GET /v1/backup_instances/99/backups answered 404" in done.stderr


@pytest.mark.backupify(instances=3, backups=1)
def test_list_backups_without_ids_lists_the_backups_of_all_instances(backupify: SimulatedBackupify) -> None:
    done = run(backupify, "list_backups.py")
    assert (done.stdout.count("instance "), done.stderr) == (3, "")


@pytest.mark.backupify(instances=5, seed=3, backups=3)
def test_poll_fleet_names_the_stale_instances_and_exits_1(backupify: SimulatedBackupify) -> None:
    done = run(backupify, "poll_fleet.py")
    assert re.search(r"^instance 4 is stale: its newest backup is \d+ days old$", done.stdout, re.MULTILINE)
    assert (done.returncode, "5 instances polled" in done.stderr) == (1, True)


@pytest.mark.backupify(instances=5, backups=0)
def test_poll_fleet_exits_0_where_all_are_fresh(backupify: SimulatedBackupify) -> None:
    for instance in backupify.instance_ids:
        backupify.start_backup(instance)
    done = run(backupify, "poll_fleet.py")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.backupify(
    instances=3, backups=0, faults=[Fault.lose_response(operation="trigger", instance=3, after_acting=True)]
)
def test_trigger_fleet_starts_one_backup_each_and_finds_the_one_whose_response_was_lost(
    backupify: SimulatedBackupify, tmp_path: Path
) -> None:
    backupify.start_backup(2)
    ids = tmp_path / "ids.txt"
    ids.write_text("# the fleet\n1\n2\n\n3\n1\n")
    done = run(backupify, "trigger_fleet.py", str(ids))
    assert sorted(done.stdout.splitlines()) == [
        "instance 1: in the file twice, triggered once",
        "instance 1: started",
        "instance 2: a backup was running already",
        "instance 3: started; the response was lost, and the backup was found",
    ]
    assert (done.returncode, [len(backupify.triggers[instance]) for instance in (1, 2, 3)]) == (0, [1, 0, 1])


@pytest.mark.parametrize(
    ("reason", "reason_shown"), [("the list is empty", "the list is empty"), ("", "no response in 60 s")]
)
def test_trigger_fleet_says_why_an_outcome_is_unknown(reason: str, reason_shown: str) -> None:
    lost = AmbiguousTrigger(SentTrigger(3, datetime.now(UTC)), RequestTimeout("no response in 60 s"), reason)
    in_words = runpy.run_path(str(EXAMPLES / "trigger_fleet.py"))["in_words"]
    assert (
        in_words(Failure("3", lost, 1, 0.0)) == f"CHECK THE INSTANCE before you trigger again: {reason_shown}"
    )


@pytest.mark.backupify(instances=2, backups=0)
def test_in_a_web_app_serves_with_one_client_and_stops_cleanly(backupify: SimulatedBackupify) -> None:
    running = backupify.start_backup(1)
    with subprocess.Popen(
        [sys.executable, "-u", str(EXAMPLES / "in_a_web_app.py"), "0"],
        env=environment(backupify),
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", service.stdout.readline())
        assert found is not None
        with urllib.request.urlopen(f"{found[0]}/active/1", timeout=30) as response:
            active = response.read().decode()
        with urllib.request.urlopen(f"{found[0]}/active/2", timeout=30) as response:
            idle = response.read().decode()
        with urllib.request.urlopen(f"{found[0]}/trigger/2", data=b"", timeout=30) as response:
            triggered = json.load(response)
        with urllib.request.urlopen(f"{found[0]}/statistics", timeout=30) as response:
            statistics = json.load(response)
        service.send_signal(signal.SIGINT)
        service.communicate(timeout=30)
    assert (json.loads(active)["id"], json.loads(active)["status"], idle) == (running.id, "running", "null")
    assert (triggered["kind"], triggered["backup"]["id"]) == ("started", backupify.triggers[2][0].id)
    assert (statistics["in_flight"], statistics["limit_source"]) == (0, "none")
    assert (service.returncode, backupify.tokens_issued) == (0, 1)


@pytest.mark.backupify(instances=80, backups=0, rate_limit=TokenBucket(40, burst=10))
def test_shared_limit_is_one_limit_and_one_token_for_a_web_application_and_a_cron_job(
    backupify: SimulatedBackupify, tmp_path: Path
) -> None:
    directory = str(tmp_path / "shared")
    with subprocess.Popen(
        [sys.executable, "-u", str(EXAMPLES / "shared_limit.py"), "serve", directory, "0"],
        env=environment(backupify),
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", service.stdout.readline())
        assert found is not None
        first = run(backupify, "shared_limit.py", "sweep", directory)
        with urllib.request.urlopen(f"{found[0]}/statistics", timeout=30) as response:
            limit = json.load(response)["limit_per_second"]
        with urllib.request.urlopen(f"{found[0]}/active/1", timeout=30) as response:
            active = response.read()
        second = run(backupify, "shared_limit.py", "sweep", directory)
        service.send_signal(signal.SIGINT)
        service.communicate(timeout=30)
    assert [done.stdout for done in (first, second)] == ["80 instances, 0 running, 0 failed\n"] * 2
    assert (active, backupify.tokens_issued) == (b"null", 1)
    assert limit == pytest.approx(40, rel=0.3)  # the web application knows what the cron job has learned
    refused = re.search(r"(\d+) refused", second.stderr)
    assert refused is not None
    assert int(refused[1]) <= 2


@pytest.mark.backupify(instances=12, backups=0)
def test_own_limiter_shares_its_rate_through_a_file(backupify: SimulatedBackupify, tmp_path: Path) -> None:
    ids = [str(instance) for instance in backupify.instance_ids]
    began = time.monotonic()
    done = run(backupify, "own_limiter.py", str(tmp_path / "slots.db"), *ids)
    assert sorted(done.stdout.splitlines()) == sorted(f"instance {instance}: idle" for instance in ids)
    assert (done.returncode, done.stderr, time.monotonic() - began > 0.5) == (0, "", True)


@pytest.mark.backupify(instances=12, backups=0)
def test_simple_limiter_spaces_its_calls_evenly(backupify: SimulatedBackupify) -> None:
    ids = [str(instance) for instance in backupify.instance_ids]
    done = run(backupify, "simple_limiter.py", *ids)
    times = sorted(record.at for record in backupify.requests if record.operation == "get_active")
    assert sorted(done.stdout.splitlines()) == sorted(f"instance {instance}: idle" for instance in ids)
    assert (done.returncode, done.stderr, times[-1] - times[0] >= 11 / 20 - 0.1) == (0, "", True)


def test_the_tests_with_aioresponses_pass_without_a_pytest_configuration(tmp_path: Path) -> None:
    example = EXAMPLES / "test_with_aioresponses.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(example)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout
