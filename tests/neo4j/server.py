"""A Neo4j server of our own: a process on loopback, on free ports, in a folder of its own."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.neo4j.jars import cached, feature_release, fetched, java

USER = "neo4j"
PASSWORD = "graphmem-test"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0

FIRST_PASSWORD = "ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO $new"

CONF = """server.directories.data={home}/data
server.directories.logs={home}/logs
server.directories.run={home}/run
server.directories.import={home}/import
server.directories.plugins={home}/plugins
server.directories.transaction.logs.root={home}/transactions
server.bolt.listen_address=127.0.0.1:{bolt}
server.bolt.advertised_address=127.0.0.1:{bolt}
server.http.listen_address=127.0.0.1:{http}
server.http.advertised_address=127.0.0.1:{http}
server.https.enabled=false
server.memory.pagecache.size={pagecache_mb}m
db.tx_log.preallocate=false
db.tx_log.rotation.size=32m
dbms.usage_report.enabled=false
client.allow_telemetry=false
"""


@dataclass
class Server:
    """A server that runs, or that ran. `uri`, `user`, `password` are all that a client needs.

    A server of somebody else's (`process` is None) cannot be stopped or killed.
    """

    line: str  # "5.26", "2026.09", or "given"
    uri: str
    http: str = ""  # Browser is at `http`/browser/; empty when it is not served
    user: str = USER
    password: str = PASSWORD
    database: str = "neo4j"
    home: Path | None = None
    command: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def ours(self) -> bool:
        """Whether we started it, here or in Docker."""
        return self.line != "given"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which graphmem finds it."""
        return {
            "NEO4J_URI": self.uri,
            "NEO4J_USERNAME": self.user,
            "NEO4J_PASSWORD": self.password,
            "NEO4J_DATABASE": self.database,
        }

    def driver(self, **settings: Any) -> Any:
        """A driver of the test's own. Close it."""
        from neo4j import GraphDatabase

        return GraphDatabase.driver(self.uri, auth=(self.user, self.password), **settings)

    def query(self, cypher: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of one query over a connection of its own."""
        with self.driver(notifications_min_severity="OFF") as driver:
            records, _, _ = driver.execute_query(cypher, parameters, database_=self.database)
            return [record.data() for record in records]

    def empty(self) -> None:
        """Takes all nodes out but the store's own record of its schema, which takes seconds to make anew."""
        self.query("MATCH (n) WHERE NOT n:_Meta DETACH DELETE n")

    def wipe(self) -> None:
        """Takes everything out: nodes, constraints, indexes (lookup indexes stay). For a test server only."""
        with self.driver(notifications_min_severity="OFF") as driver, driver.session(database=self.database) as session:
            # Relationships first: one hub of 300,000 with its own is more than a small server takes at once.
            session.run("MATCH ()-[r]->() CALL (r) { DELETE r } IN TRANSACTIONS OF 20000 ROWS").consume()
            session.run("MATCH (n) CALL (n) { DELETE n } IN TRANSACTIONS OF 5000 ROWS").consume()
            for row in session.run("SHOW CONSTRAINTS YIELD name").data():
                session.run(f"DROP CONSTRAINT `{row['name']}`").consume()
            for row in session.run("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name").data():
                session.run(f"DROP INDEX `{row['name']}`").consume()

    # -- its process

    def start(self) -> None:
        """Starts it, again after `stop` or `kill`: same ports, same data. Returns once it answers."""
        assert self.home is not None, "not a server of ours"
        with (self.home / "console.log").open("ab") as log:
            self.process = spawn(self.command, log)
        try:
            self.wait()
        except BaseException:
            self.kill()
            raise

    def wait(self) -> None:
        """Returns once it answers and takes our password."""
        end = time.monotonic() + START_TIMEOUT_S
        host, _, port = self.uri.partition("://")[2].rpartition(":")
        while not (answers(host, int(port)) and self._signs_in()):
            ended = self.process is not None and self.process.poll() is not None
            if ended or time.monotonic() > end:
                raise RuntimeError(f"Neo4j {self.line} did not start; its logs are in {self.home}\n{self.tail()}")
            time.sleep(0.1)

    def _signs_in(self) -> bool:
        """Whether it takes the password, which it is told at its first start."""
        from neo4j import GraphDatabase
        from neo4j.exceptions import AuthError, DriverError, Neo4jError

        try:
            with self.driver() as driver:
                driver.execute_query("RETURN 1", database_=self.database)
                return True
        except AuthError:
            pass
        except (Neo4jError, DriverError):
            return False
        try:
            with GraphDatabase.driver(self.uri, auth=(self.user, "neo4j")) as driver:
                driver.execute_query(FIRST_PASSWORD, new=self.password, database_="system")
        except (Neo4jError, DriverError):
            pass
        return False

    def stop(self) -> None:
        """In order, as an operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut would: kill -9."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stands still with its connections open, until `go_on`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(STOP_TIMEOUT_S)
        self.process = None

    def renew(self) -> None:
        """Begins anew with a database that nobody has written to; a server of somebody else's is only emptied. (Nodes
        take the places of those that were deleted, so that what a look without an order shows is left to chance.)"""
        if self.process is None or self.home is None:
            self.empty()
            return
        self.remove()
        self.start()

    def remove(self) -> None:
        """Ends it and takes its data away; its logs stay."""
        self.kill()
        if self.home is not None:
            for part in ("data", "transactions"):
                shutil.rmtree(self.home / part, ignore_errors=True)

    def tail(self, size: int = 4000) -> str:
        """The end of what it said."""
        told = []
        for log in ("console.log", "logs/neo4j.log", "logs/debug.log") if self.home else ():
            path = self.home / log  # type: ignore[operator]
            if path.is_file():
                told.append(f"--- {log}\n{path.read_text(errors='replace')[-size:]}")
        return "\n".join(told)


def started(line: str, home: Path, *, heap_mb: int = 512, pagecache_mb: int = 64, quick: bool = False) -> Server:
    """A new server of a line, made in an empty folder, that answers. Raises `jars.Missing`. End it with `remove`.

    `quick`: up in a third of the time (3.4 s of a core, not 11.5), for tests of what it does: its classes come from an
    archive, made once, and its code is not optimised to the last. For benchmarks leave it."""
    server = prepared(line, home, heap_mb, pagecache_mb)
    if quick:
        program, *options = server.command
        archive = classes(line)
        server.command = (program, f"-XX:SharedArchiveFile={archive}", "-XX:TieredStopAtLevel=1", *options)
    server.start()
    return server


def classes(line: str) -> Path:
    """The archive of a server's classes, made by one that starts and stops, beside its jars."""
    archive = cached(line).parent / f"classes-{feature_release(java(line))}.jsa"
    if not archive.is_file():
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            made = Path(folder) / archive.name
            server = prepared(line, Path(folder) / "home", 512, 64)
            server.command = (server.command[0], f"-XX:ArchiveClassesAtExit={made}", *server.command[1:])
            server.start()
            server.stop()
            if made.is_file():
                made.rename(archive)
    return archive


def prepared(line: str, home: Path, heap_mb: int, pagecache_mb: int) -> Server:
    """A server that is yet to be started."""
    lib, runs = fetched(line), java(line)
    bolt, http = free_ports(2)
    (home / "conf").mkdir(parents=True)
    conf = CONF.format(home=home, bolt=bolt, http=http, pagecache_mb=pagecache_mb)
    (home / "conf" / "neo4j.conf").write_text(conf)
    entry = "org.neo4j.server.CommunityEntryPoint" if line.startswith("5.") else "org.neo4j.server.Neo4jCommunity"
    options = [f"-Xmx{heap_mb}m", f"-Xms{min(heap_mb, 256)}m", "-XX:+UseSerialGC"]
    command = (str(runs), *options, "-cp", f"{lib}/*", entry, f"--home-dir={home}", f"--config-dir={home}/conf")
    return Server(line, f"neo4j://127.0.0.1:{bolt}", f"http://127.0.0.1:{http}", home=home, command=command)


def spawn(command: tuple[str, ...], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """A process that does not outlive ours, where the system can promise it."""
    setpriv = shutil.which("setpriv")
    bound = (setpriv, "--pdeathsig", "KILL", *command) if setpriv else command
    # A session of its own: Ctrl-C in the terminal is for us to pass on.
    return subprocess.Popen(bound, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def free_ports(count: int) -> list[int]:
    taken = [socket.socket() for _ in range(count)]
    try:
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]
    finally:
        for one in taken:
            one.close()


def answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False
