"""What the tests of more than one room share. Test modules import from here, never from each other.

action_windows: a trigger whose response was lost, and the window in which the server can have acted on it.
aiohttp_transports: an open transport on real sockets, and requests for it.
api_pages: the API pages, for `nox -s docs`.
caller: an HTTP client for the tests of the simulated server.
calls: the calls of a client by name, each with an id.
canned: canned responses in place of aiohttp's requests, by aioresponses.
clients: clients over sockets that never wait.
commands: what a command printed and started; how to wait for it and to end it.
echoes: servers that send a secret back wherever they can, and a search for it.
fake_transport: a transport without a network, for virtual time; a session and a client over it.
faulty_store: a `StateStore` in memory with faults on demand, for virtual time.
files: disks and users that make a journal fail.
json_lines_store: a second `JournalStore`, without SQLite.
memory_store: a `StateStore` in memory, for virtual time.
pages: pages of a list, without a network.
processes: the command line as a process: over pipes, and on a pseudo-terminal.
rate_simulation: a limiter and a server, from event to event.
raw_servers: servers that send any bytes, one after the other, and know their connections.
redis_server: a real Redis server on a loopback port, or a cluster of two.
running_backups: instances whose backups run until a set time, over `FakeTransport`.
scripted: an API that responds from a script, over `FakeTransport`.
settings: settings with a token, for tests of the other options.
sites: a list of numbered pages in virtual time, which can be wrong about its end.
tls_proxy: TLS before a server that has none.
transport_values: requests, responses and refusals without a network, and jitter that is not random.
virtual_instance: one instance of Backupify in virtual time.
work: functions and sources of keys for fan-outs that a test can observe.
"""
