"""durable-rules as it comes, to show what it does when nobody guards it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import durable_rules_engine as c
import orjson

ROOT = Path(__file__).parents[2]
Rules = dict[str, Any]
SETUP = (
    "import durable_rules_engine as c, orjson\ndef rules(r): return c.create_ruleset('t', orjson.dumps(r).decode())\n"
)
ONE_RULE = "h = rules({'r': {'all': [{'m': {'a': 1}}]}})\n"


def rules(*patterns: dict[str, Any]) -> Rules:
    """One rule `r0`, `r1`, … for each pattern."""
    return {f"r{n}": {"all": [{"m": pattern}]} for n, pattern in enumerate(patterns)}


def fire(definition: Rules, *batches: list[dict[str, Any]]) -> list[str]:
    """The rules that fire for facts asserted batch by batch, in the order of firing, actions run after each batch."""
    handle = c.create_ruleset("stock", orjson.dumps(definition).decode())
    fired: list[str] = []
    for batch in batches:
        _, state = c.assert_facts(handle, orjson.dumps(batch).decode())
        first = c.start_action_for_state(handle, state)
        message = first[1] if first else None
        while message:
            fired.extend(orjson.loads(message))
            message = c.complete_and_start_action(handle, state)
    return fired


def code_for(definition: Rules, batch: list[dict[str, Any]]) -> int:
    """The return code of one batch; 0 is good."""
    handle = c.create_ruleset("stock", orjson.dumps(definition).decode())
    return int(c.assert_facts(handle, orjson.dumps(batch).decode())[0])


def misread(batch: list[dict[str, Any]]) -> bool:
    """Whether the engine says that all is well with a batch of which it has read nothing."""
    handle = c.create_ruleset("stock", orjson.dumps(rules({"a": 1})).decode())
    code, _ = c.assert_facts(handle, orjson.dumps(batch).decode())
    try:
        c.get_state(handle, "0")  # the state that was returned is any place in memory: to use it is to crash
    except c.error:
        return code == 0
    return False


def end_of(script: str, seconds: float = 20, **environment: str) -> tuple[int | None, str]:
    """How a process ends that runs a script against the C module: its return code (None: it hung), what it printed."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", SETUP + script],
            env={**os.environ, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as hung:
        return None, (hung.stdout or b"").decode()
    return done.returncode, done.stdout
