"""What every test may count on."""

import signal

# A suite that a shell runs in the background inherits "ignore Ctrl-C"; the tests that press it need the usual handler.
signal.signal(signal.SIGINT, signal.default_int_handler)
