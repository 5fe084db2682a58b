"""What the tests of more than one room share. Test modules import from here, never from each other.

action_windows: a lost trigger, and the window in which the server can have acted on it.
api_pages: the API pages, for `nox -s docs`.
caller: an HTTP client for the tests of the simulated server.
canned: canned responses in place of aiohttp's requests, by aioresponses.
clients: clients over sockets that never wait, and a server that answers from a script.
commands: what a command printed and started; how to wait for it and to end it.
echoes: servers that send a secret back wherever they can, and a search for it.
files: disks and users that make a journal's life hard.
json_lines_store: a second `JournalStore`, without SQLite.
making: responses, refusals, and jitter that is not random.
pages: pages of a list, without a network.
processes: the command line as a process: over pipes, and on a pseudo-terminal.
rate_simulation: a limiter and a server, from event to event.
raw_servers: servers that write any bytes and know their connections.
running_backups: instances whose backups run until a set time, over `FakeTransport`.
scripted: an API that answers from a script, over `FakeTransport`.
sites: a list of numbered pages in virtual time, which can lie about its end.
sockets: a pool of connections and a server of raw bytes, on real sockets.
stand_ins: stand-ins for the network: a transport without one, and a raw server.
virtual_instance: one instance of Backupify in virtual time.
work: functions and sources of keys for fan-outs that a test can watch.
"""
