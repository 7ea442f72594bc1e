"""Jobs: work with an end, cut into parts that any number of processes carry out, and that goes on where it stopped.

A part may be run twice (a worker was killed between its work and the note that it is done), so what a kind does must
come out the same the second time. Only one result of a part is kept.
"""

from adapters.db.jobs import Job as Job
from adapters.db.jobs import Part as Part
from adapters.db.jobs import Piece as Piece
from adapters.db.jobs import Progress as Progress
from adapters.jobs.desk import progress as progress
from adapters.jobs.desk import results as results
from adapters.jobs.desk import start as start
from adapters.jobs.kinds import KINDS as KINDS
from adapters.jobs.kinds import Done as Done
from adapters.jobs.kinds import NotYetError as NotYetError
from adapters.jobs.kinds import Run as Run
from adapters.jobs.kinds import Stop as Stop
from adapters.jobs.kinds import TimeOverError as TimeOverError
from adapters.jobs.working import work as work
