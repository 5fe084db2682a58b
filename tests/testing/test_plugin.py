"""The pytest plugin, as the tests of a user see it."""

import http.client
import subprocess
import sys

import pytest

from backupify_async import BackupifyClient, ClientCredentials, Reconciliation, TriggerKind
from backupify_async.testing import Fault, SimulatedBackupify

pytest_plugins = ["pytester"]

_NO_ASYNC_PLUGIN = ("-p", "no:asyncio", "-p", "no:looptime_plugin")


def _status(server: SimulatedBackupify, path: str = "/v1/ping") -> int:
    connection = http.client.HTTPConnection(server.base_url.removeprefix("http://"))
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


class TestFixture:
    def test_it_is_a_running_server_for_a_plain_function(self, backupify: SimulatedBackupify) -> None:
        assert _status(backupify) == 200

    async def test_it_is_a_running_server_for_a_coroutine(self, backupify: SimulatedBackupify) -> None:
        assert backupify.instance_ids == list(range(1, 51))

    def test_each_test_has_a_new_one(self, backupify: SimulatedBackupify) -> None:
        assert backupify.requests == []


@pytest.mark.backupify(instances=3, faults=[Fault.answer(503)])
class TestMark:
    def test_it_configures_the_server(self, backupify: SimulatedBackupify) -> None:
        assert (backupify.instance_ids, _status(backupify)) == ([1, 2, 3], 503)

    @pytest.mark.backupify(faults=[])
    def test_the_nearest_one_takes_precedence_for_each_setting(self, backupify: SimulatedBackupify) -> None:
        assert (backupify.instance_ids, _status(backupify)) == ([1, 2, 3], 200)

    def test_it_is_registered(self, pytestconfig: pytest.Config) -> None:
        assert any(line.startswith("backupify(") for line in pytestconfig.getini("markers"))


class TestSettling:
    """How soon a client can check what a request with a lost response did."""

    def test_is_short(self, backupify: SimulatedBackupify) -> None:
        assert backupify.settling == 0.1

    @pytest.mark.backupify(faults=[Fault.lose_response(after_acting=True, late=3)], list_lag=2)
    def test_follows_from_the_faults_and_the_lag_of_lists(self, backupify: SimulatedBackupify) -> None:
        assert backupify.settling == 3
        backupify.inject(Fault.hang(after_acting=True, late=5))
        assert backupify.settling == 5
        backupify.clear_faults()
        assert backupify.settling == 2

    @pytest.mark.backupify(faults=[Fault.lose_response(after_acting=True, late=3)], settling=0.5)
    def test_can_be_set_by_the_mark(self, backupify: SimulatedBackupify) -> None:
        assert backupify.settling == 0.5

    @pytest.mark.timeout(10)
    @pytest.mark.backupify(backups=3, faults=[Fault.answer(503, operation="trigger", first=1)])
    async def test_lets_a_client_send_a_refused_trigger_again_at_once(
        self, backupify: SimulatedBackupify
    ) -> None:
        settled = Reconciliation(settling=backupify.settling)
        client = BackupifyClient(
            ClientCredentials("demo", "demo"), base_url=backupify.base_url, reconciliation=settled
        )
        async with client:
            assert (await client.backups.trigger(3)).kind is TriggerKind.STARTED
        assert len(backupify.triggers[3]) == 1


def test_the_plugin_imports_nothing_heavy_unless_it_is_used(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]")
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert "backupify_async.testing.pytest_plugin" in sys.modules
            assert not {"aiohttp", "attrs", "backupify_async.client"} & {*sys.modules}
        """
    )
    pytester.runpytest_subprocess(*_NO_ASYNC_PLUGIN, "-W", "error").assert_outcomes(passed=1)


def test_the_plugin_uses_only_names_that_pytest_6_has() -> None:
    code = (
        "import pytest\n"
        "for name in 'Config', 'FixtureRequest', 'Item', 'Parser': delattr(pytest, name)\n"
        "import backupify_async.testing.pytest_plugin"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_positional_arguments_of_the_mark_are_an_error(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.backupify(5)
        def test_it(backupify):
            pass
        """
    )
    result = pytester.runpytest_subprocess(*_NO_ASYNC_PLUGIN)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*takes keywords only*"])


def test_the_fixture_works_without_an_async_plugin(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]")  # its own configuration, wherever the temporary folder is
    pytester.makepyfile(
        """
        import urllib.request

        def test_it(backupify):
            with urllib.request.urlopen(f"{backupify.base_url}/v1/ping") as response:
                assert response.status == 200
        """
    )
    pytester.runpytest_subprocess(*_NO_ASYNC_PLUGIN, "-W", "error").assert_outcomes(passed=1)
