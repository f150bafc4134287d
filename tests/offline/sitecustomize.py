"""Read by every Python process of tests/test_offline.py at its start.

Names are looked up, and connections made, only where they stay on this machine; others are noted.
"""

import os
import socket
import sys


def own(address: str) -> bool:
    """Whether it belongs to this machine: such addresses alone can be bound."""
    if address in ("localhost", socket.gethostname()):
        return True
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        try:
            socket.inet_pton(family, address)
            one.bind((address, 0))
        except OSError:
            return False
    return True


def _note(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.connect":
        address = args[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = args
    else:
        return
    if isinstance(address, tuple) and address[0] and not own(os.fsdecode(address[0])):
        with open(os.environ["OFFLINE_LOG"], "a") as log:  # noqa: PTH123 (imports nothing more)
            print(event, address[0], file=log)
        raise PermissionError(f"{event} {address[0]}")


if "OFFLINE_LOG" in os.environ:
    sys.addaudithook(_note)
