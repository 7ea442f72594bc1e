"""Settings: everything a site may set, from the environment (`PATHWAY_…`), each with a default for one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """What a site may set. Lists are given as JSON, such as `PATHWAY_FHIR_SERVERS='["https://ehr.example/fhir"]'`."""

    model_config = SettingsConfigDict(env_prefix="PATHWAY_", extra="ignore")

    database_url: str = Field(
        default=f"sqlite:///{ROOT / 'var' / 'pathway.sqlite3'}",
        description="where everything is stored: sqlite:///FILE or postgresql://ROLE@HOST/NAME",
        repr=False,  # it may hold a password
    )
    source: str = Field(default="local", description="names the sender: patient ids mean something only within it")
    time_zone: str = Field(default="UTC", description="the facility's zone (IANA name), for dates without a time")
    place_state: str = Field(
        default="", description="the US state where care is given (two letters), its Medicare area (jm) or elsewhere"
    )
    policies: tuple[str, ...] = Field(
        default=("candidacy", "after-cement", "bone-health", "coverage-cms-lcd"),
        description="the rule sets that decide, in order; a family's name stands for all of its rule sets",
    )
    rules: Path = Field(default=ROOT / "rules", description="the folder of the rule book")
    rules_from: Literal["releases", "working"] = Field(
        default="releases", description="what decides: frozen releases, or the working files while rules are written"
    )
    site_rules: Path | None = Field(default=None, description="the file of the site's own numbers and switches")
    fhir_servers: tuple[str, ...] = Field(default=(), description="FHIR bases that a hook's data may be fetched from")
    hook_budget_seconds: float = Field(default=5.0, description="how long a hook call may take, in seconds")
    max_body_bytes: int = Field(default=16 * 1024 * 1024, description="the largest request body, in bytes")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="what the log leaves out: everything below this level"
    )
    public_url: str = Field(default="", description="the address under which people reach this service, for links")

    secret_key: SecretStr = Field(
        default=SecretStr(""), description="signs the forms of pages; made and kept beside the database if not given"
    )

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
