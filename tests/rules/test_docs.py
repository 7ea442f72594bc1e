"""What docs/rules.md shows of rules and cases stands so in a file."""

import re

import pytest

from tests.rules.book import RULES

PAGE = (RULES.parent / "docs" / "rules.md").read_text(encoding="utf-8")
SHIPPED = [path.read_text(encoding="utf-8") for path in sorted(RULES.glob("*/*.yaml"))]


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL))
def test_an_example_stands_in_a_shipped_file(example: str) -> None:
    plain = re.sub(r" +# .*", "", "\n".join(SHIPPED))
    assert example in plain
