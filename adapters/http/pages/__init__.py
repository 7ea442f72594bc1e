"""Pages for people: the work list, a patient, a decision, the rule sets.

They are rendered here; scripts only make them quicker. Every room has the same two files: `views` parse,
call and render; `model` says what a page shows.
"""

from adapters.http.pages.answer import views as _answer
from adapters.http.pages.calls import views as _calls
from adapters.http.pages.cohort import views as _cohort
from adapters.http.pages.decision import views as _decision
from adapters.http.pages.frame import blueprint as blueprint
from adapters.http.pages.letters import views as _letters
from adapters.http.pages.measures import views as _measures
from adapters.http.pages.outbox import views as _outbox
from adapters.http.pages.patient import care as _care
from adapters.http.pages.patient import views as _patient
from adapters.http.pages.rulesets import views as _rulesets
from adapters.http.pages.start import views as _start
from adapters.http.pages.unread import views as _unread
from adapters.http.pages.worklist import many as _many
from adapters.http.pages.worklist import views as _worklist

ROOMS = (
    _start,
    _worklist,
    _many,
    _calls,
    _patient,
    _care,
    _letters,
    _decision,
    _answer,
    _rulesets,
    _outbox,
    _unread,
    _cohort,
    _measures,
)
