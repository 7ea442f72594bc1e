"""Every rule can be shown in words, and nothing that matters is left out."""

from pathway.conditions import leaves
from pathway.prose import show
from pathway.rulebook import Rule
from tests.each import each
from tests.rules.book import ALL, FILES

RULES = {rule.id: rule for rule in ALL}


@each(ALL, lambda rule: rule.id)
def test_the_page_holds_data_messages_parameters_sources_and_cases(rule: Rule) -> None:
    page = show(rule, len(FILES[rule.id].examples))
    raw = rule.document or {}
    assert page.startswith(f"{rule.id}: {rule.title}\n")
    assert all(text in page for text in rule.say.values())
    assert all(f"{p.id}: {p.value}" in page and p.status in page and p.set_on in page for p in rule.parameters.values())
    assert all(c["label"] in page and c["status"] in page and c["read"] in page for c in raw.get("evidence", ()))
    assert all(leaf.datum.title in page for part in rule.conditions() for leaf in leaves(part))
    assert page.endswith(f"Cases: {len(FILES[rule.id].examples)}")
    assert "{'" not in page, "no Python in a page for people"


def test_a_criterion_reads_as_when_and_then() -> None:
    page = show(RULES["candidacy.wait-may-be-shorter"], 16)
    assert (
        """When
  all of these:
  - at least one of these:
    - In hospital now: yes
    - Kept in bed by the pain: yes, no older than 14 d (pain-max-age)
  - Spinal pain, 0 to 10: at least 8 score (uncontrolled-pain), no older than 14 d (pain-max-age)
  - Days of conservative care since onset: at least 1 d (care-tried)
then it is met; surely otherwise it is not met; else it is unknown, and asks: record-mobility
"""
        in page
    )


def test_an_alert_says_that_the_unconfirmed_counts_and_when_it_is_due() -> None:
    page = show(RULES["candidacy.neurology-emergency"], 9)
    assert "deficit or cord-or-cauda, no older than 90 d (recent), also where it is not confirmed" in page
    assert "task neurology-emergency is open for the on-call, priority stat, due 1 h after it is asked for" in page
    _, closed = page.split("Closed when\n")
    assert closed.startswith("  at least one of these:\n  - all of these:\n    - Neurological examination: normal\n")
    assert "\n  - No death is recorded: not-met\n" in closed


def test_an_outcome_leaves_the_choice_to_the_hit_order() -> None:
    page = show(RULES["candidacy.outcome-defer"], 9)
    assert "then the outcome defer is possible; the hit order decides" in page
    assert "Conservative care has been given its time: not-met" in page
