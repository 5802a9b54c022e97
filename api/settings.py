"""Settings of the server, read from the environment by pydantic-settings (0.2 s to import: commands do without)."""

from __future__ import annotations

import os
from typing import Any

from pydantic import AliasChoices, BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from graphmem.api.environment import DEFAULTS, PREFIX, check_names
from graphmem.errors import SettingError


class Limits(BaseModel, extra="forbid", frozen=True):
    """What one caller may ask of the server."""

    threads: int = Field(default=int(DEFAULTS["GRAPHMEM_LIMITS__THREADS"]), ge=1, le=64)
    deadline_s: float = Field(default=float(DEFAULTS["GRAPHMEM_LIMITS__DEADLINE_S"]), gt=0, le=3600)
    hits: int = Field(default=int(DEFAULTS["GRAPHMEM_LIMITS__HITS"]), ge=1, le=10_000)
    body_bytes: int = Field(default=int(DEFAULTS["GRAPHMEM_LIMITS__BODY_BYTES"]), ge=1_000)
    query_chars: int = Field(default=int(DEFAULTS["GRAPHMEM_LIMITS__QUERY_CHARS"]), ge=100)
    query_depth: int = Field(default=int(DEFAULTS["GRAPHMEM_LIMITS__QUERY_DEPTH"]), ge=1)
    query_fields: int = Field(default=int(DEFAULTS["GRAPHMEM_LIMITS__QUERY_FIELDS"]), ge=1)
    query_roots: int = Field(default=int(DEFAULTS["GRAPHMEM_LIMITS__QUERY_ROOTS"]), ge=1)


class Caps(BaseModel, extra="forbid", frozen=True):
    """What asking a model for proposals may take in one job, or in one write."""

    calls: int = Field(default=int(DEFAULTS["GRAPHMEM_CAPS__CALLS"]), ge=0)
    tokens: int = Field(default=int(DEFAULTS["GRAPHMEM_CAPS__TOKENS"]), ge=0)
    seconds: float = Field(default=float(DEFAULTS["GRAPHMEM_CAPS__SECONDS"]), ge=0)


class Settings(BaseSettings):
    """Everything the environment may say; `graphmem.api.environment.SETTINGS` says what each is for."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, populate_by_name=True
    )

    store: str = Field(
        default=DEFAULTS["GRAPHMEM_STORE"], min_length=1, validation_alias=AliasChoices("GRAPHMEM_STORE", "NEO4J_URI")
    )
    space: str = Field(default=DEFAULTS["GRAPHMEM_SPACE"], min_length=1)
    llm: str = DEFAULTS["GRAPHMEM_LLM"]
    propose: bool = False
    caps: Caps = Caps()
    host: str = Field(default=DEFAULTS["GRAPHMEM_HOST"], min_length=1)
    port: int = Field(default=int(DEFAULTS["GRAPHMEM_PORT"]), ge=0, le=65_535)
    allow_remote: bool = False
    allowed_hosts: tuple[str, ...] = ()
    debug: bool = False
    limits: Limits = Limits()
    neo4j_username: str = Field(default=DEFAULTS["NEO4J_USERNAME"], validation_alias="NEO4J_USERNAME")
    neo4j_password: SecretStr = Field(default=SecretStr(""), validation_alias="NEO4J_PASSWORD")
    neo4j_database: str = Field(default=DEFAULTS["NEO4J_DATABASE"], validation_alias="NEO4J_DATABASE")
    openai_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="OPENAI_API_KEY")
    openai_base_url: str = Field(default=DEFAULTS["OPENAI_BASE_URL"], validation_alias="OPENAI_BASE_URL")


def read_settings(**given: Any) -> Settings:
    """The environment's settings, overruled by what is `given` and not None. Raises SettingError, value and hint
    included, for an unknown name and for a value that is no such thing."""
    check_names(os.environ)
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = variable("__".join(str(part) for part in first["loc"]))
        raise SettingError(
            f"{name}={first['input']!r}: {first['msg'].lower()}",
            hint=f"the default is {DEFAULTS.get(name, 'in the README')!r}",
            source="environment",
        ) from error


def variable(field: str) -> str:
    """The environment variable that a field is read from."""
    upper = field.upper()
    return upper if upper in DEFAULTS or upper.startswith(PREFIX) else PREFIX + upper
