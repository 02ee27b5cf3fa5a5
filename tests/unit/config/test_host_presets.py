"""Presets of model hosts: what each sets, and that keys of the operator stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from watchkeeper.config.host_presets import PRESETS, PresetName, preset_of
from watchkeeper.config.sections import ModelProfile
from watchkeeper.config.settings import Settings, SettingsError, load_settings
from watchkeeper.llm.host_dialect import Dialect

GIVEN: dict[str, Any] = {"name": "some-model", "base_url": "https://host.example/v1", "api_key": "k-12345678"}


def profile(**keys: Any) -> ModelProfile:
    return ModelProfile.model_validate(keys)


def test_every_name_is_in_the_table() -> None:
    assert set(PRESETS) == set(get_args(PresetName))


@pytest.mark.parametrize("name", PRESETS)
def test_keys_that_are_set_stay(name: PresetName) -> None:
    own = {"context_tokens": 9_999, "max_completion_tokens": 77, "extra_body": {"thinking": {"type": "disabled"}}}
    made = profile(preset=name, **GIVEN, **own)
    assert (made.preset, made.name, made.base_url) == (name, "some-model", "https://host.example/v1")
    assert made.api_key is not None
    assert made.api_key.get_secret_value() == "k-12345678"
    assert (made.context_tokens, made.max_completion_tokens, made.extra_body) == tuple(own.values())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_an_address_or_asks_for_one(name: PresetName) -> None:
    if PRESETS[name].base_url is None:
        with pytest.raises(ValueError, match="has no default for base_url; set base_url"):
            profile(preset=name, name="some-model")
        return
    assert profile(preset=name, name="some-model").base_url == PRESETS[name].base_url


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_a_model_or_asks_for_one(name: PresetName) -> None:
    if PRESETS[name].model is None:
        with pytest.raises(ValueError, match="has no default for name; set name"):
            profile(preset=name, base_url="https://host.example/v1")
        return
    assert profile(preset=name).name == PRESETS[name].model


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://api.moonshot.ai/v1", "moonshot"),
        ("https://api.moonshot.cn/v1", "moonshot"),
        ("https://api.runware.ai/v1", "runware"),
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://mine.openai.azure.com/openai/v1", "azure"),
        ("https://api.mistral.ai/v1", "mistral"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://notopenai.com/v1", None),
        ("https://openai.com.example/v1", None),
        ("http://localhost:11434/v1", None),
        ("http://[::1", None),
        (None, None),
    ],
)
def test_the_domain_selects_a_preset(base_url: str | None, name: str | None) -> None:
    assert preset_of(base_url) == name
    if name is not None:
        assert profile(base_url=base_url, name="some-model").preset == name


def test_a_domain_alone_demands_nothing() -> None:
    assert profile(base_url="https://api.openai.com/v1").name == "moonshotai-kimi-k2-6"


def test_moonshot_keeps_the_thinking_and_can_force_a_tool_without_it() -> None:
    made = profile(preset="moonshot")
    assert made.extra_body == {"thinking": {"type": "enabled", "keep": "all"}}
    assert made.forced_choice_body == {"thinking": {"type": "disabled"}}
    assert profile(preset="moonshot", extra_body={"temperature": 1}).extra_body == {
        "thinking": {"type": "enabled", "keep": "all"},
        "temperature": 1,
    }


@pytest.mark.parametrize("model", ["kimi-k3", "kimi-k3.1-pro", "kimi-k3.1-pro-highspeed"])
def test_kimi_k3_gets_no_thinking_field_and_its_large_window(model: str) -> None:
    made = profile(preset="moonshot", name=model)
    assert (made.extra_body, made.forced_choice_body, made.context_tokens) == ({}, {}, 1_048_576)


def test_kimi_k2_5_does_not_know_keep() -> None:
    assert profile(preset="moonshot", name="kimi-k2.5").extra_body == {}


@pytest.mark.parametrize("name", ["vllm", "ollama"])
def test_servers_that_need_no_key_get_one(name: str) -> None:
    made = profile(preset=name, name="qwen3")
    assert made.api_key is not None
    assert made.api_key.get_secret_value() == "none"


@pytest.mark.parametrize("name", PRESETS)
def test_the_dialect_begins_with_what_the_preset_knows(name: PresetName) -> None:
    assert Dialect.of(profile(preset=name, **GIVEN)).refused == PRESETS[name].refuses
    assert Dialect.of(profile(**GIVEN)) == Dialect()


def test_presets_in_the_file_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "watchkeeper.toml"
    path.write_text('[model]\npreset = "moonshot"\n[[fallbacks]]\npreset = "ollama"\nname = "qwen3"\n')
    settings = load_settings(path)
    assert [one.base_url for one in settings.profiles] == ["https://api.moonshot.ai/v1", "http://localhost:11434/v1"]
    monkeypatch.setenv("WATCHKEEPER_MODEL__API_KEY", "k-12345678")
    monkeypatch.setenv("WATCHKEEPER_MODEL__NAME", "kimi-k3")
    assert (load_settings(path).model.name, load_settings(path).model.context_tokens) == ("kimi-k3", 1_048_576)
    path.write_text("")
    monkeypatch.delenv("WATCHKEEPER_MODEL__NAME")
    monkeypatch.setenv("WATCHKEEPER_MODEL__PRESET", "moonshot")
    assert load_settings(path).model.base_url == "https://api.moonshot.ai/v1"


def test_an_unknown_preset_is_named_with_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "watchkeeper.toml"
    path.write_text('[model]\npreset = "moonshine"\n')
    with pytest.raises(SettingsError, match="'moonshot'") as failed:
        load_settings(path)
    assert "model.preset" in str(failed.value)


def test_without_a_preset_nothing_changes() -> None:
    model = Settings().model
    assert (model.preset, model.base_url, model.name) == (None, "https://api.runware.ai/v1", "moonshotai-kimi-k2-6")
    assert (model.extra_body, model.forced_choice_body, model.context_tokens) == ({}, {}, 262_144)
