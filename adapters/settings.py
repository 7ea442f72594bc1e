"""Settings: everything a site may set, from the environment (`PATHWAY_…`), each with a default for one machine."""

from __future__ import annotations

import difflib
import json
import os
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from adapters.setting_forms import long_enough, mail_address, mail_server, message_broker, web_address
from pathway.errors import BadInputError

ROOT = Path(__file__).resolve().parents[1]
PREFIX: Final = "PATHWAY_"
_ALIKE: Final = 0.8  # SITE_RULE and SITE_RULES are; what an orchestrator sets for itself, such as PATHWAY_PORT, is not


class Settings(BaseSettings):
    """What a site may set. Lists are given as JSON, such as `PATHWAY_FHIR_SERVERS='["https://ehr.example/fhir"]'`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    database_url: str = Field(
        default=f"sqlite:///{ROOT / 'var' / 'pathway.sqlite3'}",
        description="where everything is stored: sqlite:///FILE or postgresql://ROLE@HOST/NAME",
        repr=False,  # it may hold a password
    )
    source: str = Field(default="local", description="names the sender: patient ids mean something only within it")
    letterhead: str = Field(default="", description="the house by name and address, at the head of its letters")
    time_zone: str = Field(default="UTC", description="the facility's zone (IANA name), for dates without a time")
    go_live: date | None = Field(
        default=None,
        description="the first day of the service here; what was over before makes no task but emergencies",
    )
    place_state: str = Field(
        default="", description="the US state where care is given (two letters), its Medicare area (jm) or elsewhere"
    )
    policies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(
            "candidacy",
            "nice-ta279",
            "sir-qi",
            "acr",
            "rand-2018",
            "nass-osteoporotic",
            "nass-neoplastic",
            "aaos-2010-vertebroplasty",
            "aaos-2010-kyphoplasty",
            "imwg-2019",
            "pre-procedure",
            "considerations",
            "after-cement",
            "bone-health",
            "bone-treatment",
            "coverage-cms-lcd",
            "payer-6w",
            "wiser",
        ),
        description="the rule sets that decide, in order; a family's name stands for all of its rule sets",
    )
    acting_policy: str = Field(
        default="candidacy",
        description="the clinical rule set whose obligations become tasks; the others give their verdicts beside it",
    )
    rules: Path = Field(default=ROOT / "rules", description="the folder of the rule book")
    rules_from: Literal["releases", "working"] = Field(
        default="releases", description="what decides: frozen releases, or the working files while rules are written"
    )
    site_rules: Path | None = Field(default=None, description="the file of the site's own numbers, lists and switches")
    site_codes: Path | None = Field(
        default=None, description="the ConceptMap (FHIR R4, JSON) of the site's own codes, read when the service starts"
    )
    emergency_minutes: int = Field(
        default=15, ge=1, description="how long an emergency waits for an answer before the next is told, in minutes"
    )
    overdue_hours: int = Field(
        default=24, ge=1, description="how long a late task rests before the next is told of it, in hours"
    )
    overdue_asap_hours: int = Field(
        default=4, ge=1, description="the same for what is asked for as soon as possible (asap), in hours"
    )
    overdue_stat_minutes: int = Field(
        default=60, ge=1, description="the same for what is asked for at once (stat), in minutes"
    )
    contact_attempts: int = Field(
        default=3, ge=1, description="how many attempts without reaching the patient escalate a task and may end it"
    )
    longest_snooze_days: int = Field(
        default=180, ge=1, description="how far a task may be put off, or its next try planned, in days"
    )
    longest_snooze_urgent_days: int = Field(default=30, ge=1, description="the same for what is urgent, in days")
    longest_snooze_asap_days: int = Field(
        default=3, ge=1, description="the same for what is asked for as soon as possible (asap), in days"
    )
    longest_snooze_stat_days: int = Field(
        default=2, ge=1, description="the same for what is asked for at once (stat), in days"
    )
    fhir_servers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="FHIR bases that a hook's data may be fetched from"
    )
    hook_budget_seconds: float = Field(default=5.0, gt=0, description="how long a hook call may take, in seconds")
    max_body_bytes: int = Field(default=16 * 1024 * 1024, gt=0, description="the largest request body, in bytes")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="what the log leaves out: everything below this level"
    )
    public_url: str = Field(default="", description="the address under which people reach this service, for links")

    secret_key: SecretStr = Field(
        default=SecretStr(""), description="signs the forms of pages; made and kept beside the database if not given"
    )

    broker_url: Annotated[SecretStr, AfterValidator(message_broker)] = Field(
        default=SecretStr(""),
        description="what carries bells to the workers: amqp://… (RabbitMQ), redis://…; else a file beside SQLite",
    )
    worker_processes: int = Field(
        default=2, ge=1, le=64, description="how many processes of a worker load and poll; one more sweeps and sends"
    )

    poll_base: Annotated[str, AfterValidator(web_address)] = Field(
        default="", description="the FHIR base whose changes are taken in; empty, none is asked"
    )
    poll_seconds: int = Field(default=60, ge=1, description="how often it is asked what changed, in seconds")
    poll_overlap_seconds: int = Field(
        default=300, ge=60, description="how far back each time, for what a server commits late, in seconds"
    )
    subscription_secret: Annotated[SecretStr, AfterValidator(long_enough)] = Field(
        default=SecretStr(""),
        description="what that server sends as a bearer token with each notification; if not given, none is heard",
    )
    waiting_limit: int = Field(
        default=10_000, ge=1, description="how many notifications may wait to be taken in before more are put off"
    )
    export_folder: Path = Field(
        default=ROOT / "var" / "exports",
        description="where the files of a bulk export are kept while they are taken in",
    )

    fhir_write_base: Annotated[str, AfterValidator(web_address)] = Field(
        default="",
        description="the FHIR base that tasks and care plans are written to; empty, the work list here is all",
    )
    fhir_write_ids: Literal["ours", "server"] = Field(
        default="ours",
        description="who gives written resources their ids: we, or the server where it takes none of ours",
    )
    fhir_write_source: str = Field(
        default="", description="the source whose patients that server holds; empty, PATHWAY_SOURCE"
    )
    fhir_client_id: str = Field(
        default="", description="our client id at that server (SMART Backend Services); empty, no token is asked for"
    )
    fhir_client_key: Path | None = Field(
        default=None, description="the file of the private key that signs our requests for tokens (pathway key make)"
    )
    fhir_client_scope: str = Field(
        default="system/Task.crus system/CarePlan.crus system/Provenance.crus",
        description="what we ask to be allowed at that server, as SMART scopes",
    )
    fhir_token_url: Annotated[str, AfterValidator(web_address)] = Field(
        default="", description="where tokens are asked for; empty, where that server's smart-configuration says"
    )
    outbox_attempts: int = Field(
        default=16, ge=1, le=100, description="how often a row of the outbox is tried before it is parked for a person"
    )

    alert_webhook: Annotated[str, AfterValidator(web_address)] = Field(
        default="",
        repr=False,  # many a webhook's address is its password
        description="the address that is told of an emergency that nobody has answered; empty, none is",
    )
    alert_webhook_secret: Annotated[SecretStr, AfterValidator(long_enough)] = Field(
        default=SecretStr(""), description="signs what is sent to the webhook (HMAC-SHA256); 16 characters or more"
    )
    alert_smtp: Annotated[str, AfterValidator(mail_server)] = Field(
        default="",
        repr=False,  # it may hold a password
        description="the mail server for alerts: smtp://HOST:PORT, or smtp+starttls or smtps with USER:PASSWORD@",
    )
    alert_to: Annotated[tuple[Annotated[str, AfterValidator(mail_address)], ...], NoDecode] = Field(
        default=(), description="the mail addresses of those who are on call and of who stands behind them"
    )
    alert_from: Annotated[str, AfterValidator(mail_address)] = Field(
        default="", description="the mail address that alerts come from"
    )

    @field_validator("policies", "fhir_servers", "alert_to", mode="before")
    @classmethod
    def _json_list(cls, given: Any) -> Any:
        try:
            found = json.loads(given) if isinstance(given, str) else given
        except ValueError:
            found = None
        if not isinstance(found, list | tuple):
            raise ValueError('not a list in JSON, such as ["one", "two"]')
        return found

    @field_validator("rules")
    @classmethod
    def _a_rule_book(cls, path: Path) -> Path:
        if not (path / "vocabulary").is_dir():
            raise ValueError("no folder with a vocabulary")
        return path

    @field_validator("public_url")
    @classmethod
    def _an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
            raise ValueError("not an address such as https://pathway.clinic.example")
        return url

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


def from_environment() -> Settings:
    """The settings that the environment holds; BadInputError names the variable, and never repeats what it holds."""
    _refuse_slips()
    try:
        return Settings()
    except ValidationError as faults:
        fault = faults.errors(include_input=False, include_context=False)[0]
    field = str(fault["loc"][0])
    raise BadInputError(
        "this setting cannot be used", where=PREFIX + field.upper(), why=fault["msg"].removeprefix("Value error, "),
        fix=f"It says {Settings.model_fields[field].description}",
    )  # fmt: skip


def _refuse_slips() -> None:
    """A misspelt name would leave its default in force unseen: without its site layer, a site decides otherwise."""
    known = [name.upper() for name in Settings.model_fields]
    given = sorted(name.upper() for name in os.environ)
    for name in (one.removeprefix(PREFIX) for one in given if one.startswith(PREFIX)):
        meant = difflib.get_close_matches(name, known, 1, _ALIKE)
        if meant and name not in known:
            fix = f"Write {PREFIX}{meant[0]}, or unset it"
            raise BadInputError("no setting has this name", where=PREFIX + name, fix=fix)
