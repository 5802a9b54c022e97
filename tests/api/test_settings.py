"""Settings: one table, known to the server's model, to the README and to errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from graphmem import construct
from graphmem.api.environment import DEFAULTS, SETTINGS, check_names
from graphmem.api.settings import Caps, Limits, Settings, read_settings, variable
from graphmem.errors import SettingError

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in DEFAULTS:
        monkeypatch.delenv(name, raising=False)
    yield


def fields() -> set[str]:
    plain = {variable(name) for name in Settings.model_fields if name not in ("limits", "caps")}
    limits = {variable(f"limits__{name}") for name in Limits.model_fields}
    return plain | limits | {variable(f"caps__{name}") for name in Caps.model_fields} | {"NEO4J_URI"}


def test_the_table_and_the_model_name_the_same_settings() -> None:
    assert fields() == set(DEFAULTS)


def test_the_table_and_the_model_have_the_same_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    without = read_settings()
    for name, default in DEFAULTS.items():
        if default:
            monkeypatch.setenv(name, default)
    monkeypatch.delenv("NEO4J_URI", raising=False)
    assert read_settings() == without


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    text = README.read_text(encoding="utf-8")
    for setting in SETTINGS:
        shown = f"`{setting.default}`" if setting.default else ""
        assert f"| `{setting.name}` | {shown} | {setting.about} |" in text, setting.name


def test_an_unknown_setting_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(SettingError) as caught:
        check_names(["PATH", "GRAPHMEM_STROE"])
    assert caught.value.hint == "did you mean GRAPHMEM_STORE?"


def test_an_unknown_setting_that_resembles_nothing_lists_all() -> None:
    with pytest.raises(SettingError, match="GRAPHMEM_ZZZZZZZ") as caught:
        check_names(["GRAPHMEM_ZZZZZZZ"])
    assert "GRAPHMEM_SPACE" in caught.value.hint


def test_names_for_test_runs_and_of_others_are_left_alone() -> None:
    check_names(["GRAPHMEM_TEST_NEO4J_URI", "GRAPHMEM_BENCH_DATA", "NEO4J_DEBUG", "graphmem_store"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GRAPHMEM_PORT", "eighty"),
        ("GRAPHMEM_PORT", "70000"),
        ("GRAPHMEM_LIMITS__THREADS", "0"),
        ("GRAPHMEM_SPACE", ""),
        ("GRAPHMEM_PROPOSE", "perhaps"),
        ("GRAPHMEM_CAPS__CALLS", "-1"),
    ],
)
def test_a_value_out_of_range_is_an_error_that_names_setting_and_default(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=name) as caught:
        read_settings()
    assert DEFAULTS[name] in caught.value.hint


def test_nested_settings_are_written_with_two_underscores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHMEM_LIMITS__DEADLINE_S", "1.5")
    monkeypatch.setenv("GRAPHMEM_ALLOWED_HOSTS", '["memory.example"]')
    settings = read_settings()
    assert settings.limits.deadline_s == 1.5
    assert settings.allowed_hosts == ("memory.example",)


def test_a_model_that_is_named_is_not_asked_for_proposals_unless_a_setting_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GRAPHMEM_LLM", "openai:gpt-5-mini")
    assert not read_settings().propose
    monkeypatch.setenv("GRAPHMEM_PROPOSE", "1")
    assert read_settings().propose


def test_caps_on_proposals_are_those_of_the_library_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert construct.Caps(**read_settings().caps.model_dump()) == construct.Caps()
    monkeypatch.setenv("GRAPHMEM_CAPS__CALLS", "7")
    assert read_settings().caps.calls == 7


def test_neo4j_uri_names_the_store_unless_graphmem_store_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_URI", "neo4j://there")
    assert read_settings().store == "neo4j://there"
    monkeypatch.setenv("GRAPHMEM_STORE", "here.db")
    assert read_settings().store == "here.db"


def test_what_is_given_overrules_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHMEM_STORE", "there.db")
    assert read_settings(store="here.db", port=None).store == "here.db"


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD", "hunter2")
    assert "hunter2" not in repr(read_settings())
