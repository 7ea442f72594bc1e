"""Requests that schemathesis makes up from openapi.yaml, good ones and bad ones, against the app over a real database.

Every answer has a status, a media type and a body that the file promises; nothing is a failure of the server; what the
file forbids is refused, and methods that it does not name are answered with 405.
"""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig

from adapters.demo.patients import demo_patients
from adapters.fhir import strict_json
from adapters.http.contract import contract
from pathway.people import Role
from tests.adapters.http.conftest import NOW, opened_house
from tests.adapters.http.people import COOKIE, app_of, peopled, signed
from tests.conftest import SOAK

pytestmark = pytest.mark.slow
EXAMPLES = 500 if SOAK else 20
FINE = ["2xx", "303", "403", "404", "406"]
"""What a request that keeps to the file may get: 403 for a page of other roles, 404 for an id that nothing has."""
POSTED = [*FINE, "400", "409", "412"]
"""And what it may get where more is asked than a schema can say: FHIR R4, a form's token, data that a hook needs."""
CONFIG = {
    "seed": 20261122,
    "generation": {"deterministic": True, "mode": "all", "no-shrink": not SOAK},
    "checks": {"positive_data_acceptance": {"expected-statuses": FINE}},
    "operations": [{"include-method": "POST", "checks": {"positive_data_acceptance": {"expected-statuses": POSTED}}}],
}
running: list[FlaskClient] = []
"""The client of a coordinator who is signed in, while a test runs."""


@pytest.fixture(scope="module", autouse=True)
def _desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The app over the demo's patients."""
    with opened_house(tmp_path_factory.mktemp("contract") / "x.db") as house:
        house = peopled(house)
        client = signed(app_of(house), house, Role.COORDINATOR)
        for record in demo_patients(NOW):
            body = strict_json.dumps(record.bundle())
            assert client.post("/fhir", data=body, content_type="application/fhir+json").status_code == 200
        running.append(client)
        yield
        running.clear()


schema = schemathesis.openapi.from_dict(
    copy.deepcopy(dict(contract().document)), config=SchemathesisConfig.from_dict(CONFIG)
)
schema.app = lambda environ, start: running[0].application(environ, start)


@schema.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_the_contract_promises(case: Any) -> None:
    cookie = running[0].get_cookie(COOKIE)
    assert cookie is not None
    case.call_and_validate(headers={"Cookie": f"{COOKIE}={cookie.value}"}, checks=CHECKS.get_all())
