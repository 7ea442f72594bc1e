"""The part of durable-rules' C module that pathway.engine uses; types read from its C source, version 2.0.28."""

class error(Exception): ...

def create_ruleset(name: str, rules: str, /) -> int: ...
def delete_ruleset(handle: int, /) -> None: ...
def assert_facts(handle: int, facts: str, /) -> tuple[int, int]:
    """The return code and the offset of the state."""

def start_action_for_state(handle: int, state_offset: int, /) -> tuple[str, str] | None:
    """The state and the first messages as JSON; None where nothing fires."""

def complete_and_start_action(handle: int, state_offset: int, /) -> str | None:
    """The next messages as JSON; None when there are no more."""

def delete_state(handle: int, sid: str | None, /) -> None: ...
