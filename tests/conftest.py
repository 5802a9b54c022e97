"""What every test may count on."""

import signal

from tests.neo4j.fixtures import neo4j_server, neo4j_server_of, own_neo4j

__all__ = ["neo4j_server", "neo4j_server_of", "own_neo4j"]

# A suite that a shell runs in the background inherits "ignore Ctrl-C"; the tests that press it need the usual handler.
signal.signal(signal.SIGINT, signal.default_int_handler)
