"""libyaml reads our files, and PyYAML's own reader, which stands in where it is missing, reads the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pathway import strict_yaml
from tests.each import each

LIBYAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ROOT = Path(__file__).resolve().parents[2]
FILES = [
    *sorted((ROOT / "rules").rglob("*.yaml")),
    *sorted((ROOT / "fhir_profiles").glob("*.yaml")),
    ROOT / "openapi.yaml",
]


def same(ours: yaml.Node | None, theirs: yaml.Node | None) -> bool:
    """Whether two trees of one text have the same values, types aside, at the same places."""
    if isinstance(ours, yaml.ScalarNode) and isinstance(theirs, yaml.ScalarNode):
        return (ours.value, ours.style or None, line(ours)) == (theirs.value, theirs.style or None, line(theirs))
    assert ours is not None
    assert theirs is not None
    return type(ours) is type(theirs) and all(
        same(*pair) for pair in zip(children(ours), children(theirs), strict=True)
    )


def children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value)


def line(node: yaml.Node) -> int:
    return node.start_mark.line


@each(FILES, lambda path: path.relative_to(ROOT).as_posix())
def test_both_readers_read_the_same(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert same(yaml.compose(text, LIBYAML), yaml.compose(text, yaml.SafeLoader))


def test_what_neither_reads_is_told_in_plain_words_with_its_line() -> None:
    with pytest.raises(Exception, match=r"a\.yaml:2: not YAML: .*'\\t'"):
        strict_yaml.read("a: 1\n\tb: 2\n", "a.yaml")
