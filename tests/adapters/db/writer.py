"""A process that uses the store until it is done or killed: `python -m tests.adapters.db.writer`.

`ingest URL NAME` commits one ingest after the other into `clinic|NAME` and prints the decision's id after each commit;
`hang URL NAME` stops before the commit of its first one; `upgrade URL...` upgrades each, at the start of the next
tenth of a second, so that two such processes meet.
"""

import sys
import time
from itertools import count

from adapters.db import open_store, upgrade
from tests.adapters.db.builders import ingest


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(what: str, *arguments: str) -> None:
    """Do as the module says."""
    if what == "upgrade":
        for url in arguments:
            time.sleep(-time.time() % 0.1)
            upgrade(url)
            say("upgraded")
        return
    url, name = arguments
    store = open_store(url)
    for number in count():
        with store.write() as ledger:
            ingest(ledger, f"{name}-{number}", f"clinic|{name}", resources=4, tasks=2)
            if what == "hang":
                say("inside")
                time.sleep(60)
        say(f"d-{name}-{number}")


main(*sys.argv[1:])
