"""Settings: everything a site may set, from the environment (`PATHWAY_…`), each with a default for one machine."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """What a site may set. Lists are given as JSON, such as `PATHWAY_FHIR_SERVERS='["https://ehr.example/fhir"]'`."""

    model_config = SettingsConfigDict(env_prefix="PATHWAY_", extra="ignore")

    database_url: str = Field(
        default=f"sqlite:///{ROOT / 'var' / 'pathway.sqlite3'}", description="where everything is stored"
    )
    source: str = Field(default="local", description="names the sender: patient ids mean something only within it")
    time_zone: str = Field(default="UTC", description="the facility's zone (IANA name), for dates without a time")
    policies: tuple[str, ...] = Field(
        default=("candidacy", "after-cement", "bone-health"), description="the rule sets that decide, in order"
    )
    rules: Path = Field(default=ROOT / "rules", description="the folder of the rule book")
    fhir_servers: tuple[str, ...] = Field(default=(), description="FHIR bases that a hook's data may be fetched from")
    hook_budget_seconds: float = Field(default=5.0, description="how long a hook call may take, in seconds")
    max_body_bytes: int = Field(default=16 * 1024 * 1024, description="the largest request body, in bytes")
    public_url: str = Field(default="", description="the address under which people reach this service, for links")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("not a time zone of the IANA list, such as Europe/Berlin") from None
        return name

    @field_validator("source")
    @classmethod
    def _plain_source(cls, name: str) -> str:
        if not name or "|" in name:
            raise ValueError("a source is a short name without |")
        return name
