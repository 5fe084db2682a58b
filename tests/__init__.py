"""For contributors: how a request travels, where to put what, and how to run one test.

**A request.** `client.backups.get_active(42)` goes through these files of `backupify_async`, and back:

    _resources/backups.py             what to ask
    _endpoints/backups.py             the path; what a 404 means
    _transport/session.py             gets a token, sends, and retries
    _transport/gate.py                a permit to be in flight and the limiter's slot, the oldest call first
    _transport/rate/                  when the next request can be sent, learned from each response
    _transport/aiohttp_transport.py   one request over the wire, and the whole response back
    _transport/retry_rules.py         what next: return the response, raise, or retry (pure)
    _codec/decode.py                  bytes to a model of models.py

A trigger goes through _triggers/triggering.py, which sends once and then finds out what happened; a wait
through _waits/waiting.py; a list through _paging/paginator.py; many instances through _fleet/fleet.py, and
each of them is an entry of _journal/journal.py. Processes share a limit and a token by _shared/sharing.py,
which puts a limiter, a token and a store in the place of a client's own. Imports run one way: `ROOMS` in
tests/test_house.py. Decisions are pure functions over values, one module of a room does I/O, and no code
reads an error's message.

**Where to put what.** Its test is in the room of the same name under tests/.

    an operation      _resources/: a method says what to ask, and which model to read; for a new model
                      models.py and `backupify_async.__init__`
    a generic request `client.request` and `client.iterate`: _resources/any_operation.py, with the rules of
                      _endpoints/any_request.py
    a resource        like _resources/instances.py; client.py, models.py, tests/test_models.py,
                      tests/typing/api.py, tests/support/api_pages.py; for the simulated server
                      testing/_messages.py, testing/_application.py, testing/_operations.py
    a request header  _transport/request_builder.py
    a rate header     _transport/rate/headers.py; _transport/rate/quota_tracker.py only for a new meaning
    the jitter        `full_jitter` in _transport/retry_rules.py
    a limiter         implements `Limiter` in _transport/rate/limiter.py; one that settings choose is made by
                      `make_limiter` in _transport/rate/__init__.py
    a journal store   implements `JournalStore` in _journal/store.py; add it to `STORES` in
                      tests/journal/stores.py
    a shared store    implements `StateStore` in _shared/store.py; add it to `STORES` in
                      tests/shared/stores.py
    a command         like _cli/commands/instances.py, registered in _cli/app.py; columns: _cli/rows.py and
                      tests/cli/test_writers.py; shared options: _cli/options.py
    an error          _errors/ and errors.py; tests/test_errors.py checks the whole tree

**Tests.** `nox -s tests` runs all, `nox -s tests -- tests/paging -k prefetch` some. With the `dev` group,
`python -m pytest tests/paging/test_links.py` runs one file; `-m "not slow"` leaves out what takes seconds.
Class and test together are a sentence that says one behaviour. Waits run in virtual time
(`pytest.mark.looptime`), never by sleeping. Without a network, use `FakeTransport` in
tests/support/fake_transport.py; for a response through aiohttp, `canned` in tests/support/canned.py; for a
server that behaves, the fixture `backupify`; for one that sends any bytes, `serving` in
tests/support/raw_servers.py. What rooms share is in tests/support/, which lists its modules. `nox -s lint
types` is the rest of CI, `nox -s docs` the API pages.
"""
