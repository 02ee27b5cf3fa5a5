from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from watchkeeper.config.settings import Settings, SettingsError, env_variable, load_settings
from watchkeeper.contracts import LimitChanges, Limits

Write = Callable[[str], Path]

SEED = """
[services.checkout]
team = "shop"
github = "acme/checkout"
[teams.shop]
routing_key = "from-file"
"""


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        path = tmp_path / "watchkeeper.toml"
        path.write_text(text)
        return path

    return written


def refused(path: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return str(caught.value)


def test_every_setting_has_a_default() -> None:
    settings = load_settings()
    assert settings.profiles == [settings.model]
    assert settings.limits == Limits(rounds=30, tool_calls=60, tokens=400_000, duration=1_800, failures=5)
    assert settings.catalogue == {"service": [], "team": []}


def test_the_file_in_the_working_directory_is_read(write: Write) -> None:
    write(SEED)
    assert load_settings().catalogue == {"service": ["checkout"], "team": ["shop"]}


def test_the_file_that_the_environment_names(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(SEED).rename(tmp_path / "other.toml")
    monkeypatch.setenv("WATCHKEEPER_CONFIG", "other.toml")
    assert list(load_settings().services) == ["checkout"]


def test_the_environment_overrides_single_keys(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(SEED + '[model]\nname = "a"\nmax_completion_tokens = 7\n[limits]\nrounds = 3\ntokens = 1000\n')
    monkeypatch.setenv("WATCHKEEPER_MODEL__BASE_URL", "http://model/v1/")
    monkeypatch.setenv("WATCHKEEPER_MODEL__NAME", "b")
    monkeypatch.setenv("WATCHKEEPER_MODEL__API_KEY", "12345")
    monkeypatch.setenv("WATCHKEEPER_LIMITS__ROUNDS", "5")
    settings = load_settings(path)
    model = settings.model
    assert (model.base_url, model.name, model.max_completion_tokens) == ("http://model/v1", "b", 7)
    assert model.api_key and model.api_key.get_secret_value() == "12345"
    assert settings.limits == Limits(rounds=5, tool_calls=60, tokens=1_000, duration=1_800, failures=5)


@pytest.mark.parametrize("word", ["none", "None", " none "])
def test_the_limit_of_a_completion_can_be_none(write: Write, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    path = write(SEED + f'[model]\nmax_completion_tokens = "{word}"\n[[fallbacks]]\nmax_completion_tokens = 7\n')
    settings = load_settings(path)
    assert [profile.max_completion_tokens for profile in settings.profiles] == [None, 7]
    monkeypatch.setenv("WATCHKEEPER_MODEL__MAX_COMPLETION_TOKENS", "9")
    assert load_settings(path).model.max_completion_tokens == 9
    monkeypatch.setenv("WATCHKEEPER_MODEL__MAX_COMPLETION_TOKENS", word)
    assert load_settings(write(SEED)).model.max_completion_tokens is None


def test_an_empty_variable_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_PROMETHEUS__URL", "")
    monkeypatch.setenv("WATCHKEEPER_LIMITS__ROUNDS", "")
    assert load_settings() == Settings()


def routing_key(settings: Settings, team: str) -> str | None:
    key = settings.routing_key(team)
    return key.get_secret_value() if key else None


def test_routing_keys_by_file_environment_and_secret_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(SEED)
    assert routing_key(load_settings(path), "shop") == "from-file"
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "WATCHKEEPER_TEAMS__SHOP__ROUTING_KEY").write_text("from-secret\n")
    (secrets / "watchkeeper_pagerduty__routing_key").write_text("for-all")
    monkeypatch.setenv("WATCHKEEPER_SECRETS_DIR", str(secrets))
    assert routing_key(load_settings(path), "shop") == "from-secret"
    assert routing_key(load_settings(path), "search") == "for-all"
    monkeypatch.setenv("WATCHKEEPER_TEAMS__SHOP__ROUTING_KEY", "0123456789")
    assert routing_key(load_settings(path), "shop") == "0123456789"


def test_a_team_without_a_key(write: Write) -> None:
    assert routing_key(load_settings(write('[services.a]\nteam = "x"\n')), "x") is None


@pytest.mark.parametrize("declared", ['[teams."On-Call EU"]\n', '[services.a]\nteam = "On-Call EU"\n'])
def test_a_variable_sets_a_team_whose_name_it_cannot_spell(
    write: Write, monkeypatch: pytest.MonkeyPatch, declared: str
) -> None:
    name = env_variable("teams", "On-Call EU", "routing_key")
    assert name == "WATCHKEEPER_TEAMS__ON_CALL_EU__ROUTING_KEY"
    monkeypatch.setenv(name, "key-1")
    settings = load_settings(write(declared))
    assert settings.catalogue["team"] == ["On-Call EU"]
    assert routing_key(settings, "On-Call EU") == "key-1"


def test_a_variable_sets_a_service_whose_name_it_cannot_spell(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_SERVICES__CHECK_OUT__GITHUB", "acme/new")
    settings = load_settings(write('[services.Check-Out]\nteam = "shop"\ngithub = "acme/old"\n'))
    assert settings.services["Check-Out"].github == "acme/new"
    assert list(settings.services) == ["Check-Out"]


def test_names_that_a_variable_can_spell_stay_apart(write: Write) -> None:
    settings = load_settings(write('[services.a]\nteam = "on_call"\n[services.b]\nteam = "night"\n[teams.night]\n'))
    assert settings.catalogue["team"] == ["night", "on_call"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[model", "is not valid TOML"),
        ("\x00", "is not valid TOML"),
        ("[modle]\nname = 'a'", "no such setting: modle; available: model, fallbacks"),
        ("_secrets_dir = '/etc'", "no such setting: _secrets_dir"),
        ("[model]\nnaem = 'a'", "model.naem: no such setting"),
        ("[limits]\nround = 1", "limits: no such limit: round; available: rounds,"),
        ("[services.a]\nteam = 'x'\nrepo = 'y'", "services.a.repo: no such setting"),
        ("[services.a]", "services.a.team: Field required"),
        ("[services.a]\nteam = 'x'\ngithub = 'nonsense'", "services.a.github: String should match pattern"),
        ("[limits]\nrounds = 0", "limits.rounds: Input should be greater than or equal to 1 (got 0)"),
        ("[limits]\nrounds = 'many'", "limits.rounds: Input should be a valid integer"),
        ("limits = 5", "limits: Input should be a valid dictionary"),
        ("services = 5", "services: Input should be a valid dictionary"),
        ("teams = ['a']", "teams: Input should be a valid dictionary"),
        ("[prometheus]\nurl = 'prom:9090'", "prometheus.url: must be an http:// or https:// address"),
        ("[prometheus]\nwindow = '5 minutes'", "prometheus.window: String should match pattern"),
        ("[prometheus]\ndegraded_error_rate = 2.5", "less than or equal to 1 (got 2.5)"),
        ("[services.a]\nteam = 'x'\nlogs_selector = '{}'", "services.a.logs_selector: contains no matcher"),
        ("[[fallbacks]]\nname = 'a'\nurl = 'b'", "fallbacks.0.url: no such setting"),
        ("[model.prices]\ninput = 'free'", "model.prices.input: Input should be a valid number"),
    ],
)
def test_an_error_in_the_file_is_named(write: Write, text: str, says: str) -> None:
    assert says in refused(write(text))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file or directory; name another with --config" in refused(tmp_path / "none.toml")
    assert "cannot read" in refused(tmp_path)
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    assert "is not valid TOML" in refused(tmp_path / "bad.toml")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("WATCHKEEPER_LIMTS__ROUNDS", "5", "no such setting: limts"),
        ("WATCHKEEPER_LIMITS__ROUNDZ", "5", "no such limit: roundz"),
        ("WATCHKEEPER_MODEL__NAEM", "x", "model.naem: no such setting"),
        ("WATCHKEEPER_LIMITS__ROUNDS", "many", "limits.rounds: Input should be a valid integer"),
        ("WATCHKEEPER_MODEL", '{"name":', 'error parsing value for field "model"'),
        ("WATCHKEEPER_SECRETS_DIR", "/nowhere/at/all", 'directory "/nowhere/at/all" does not exist'),
        ("WATCHKEEPER_CONFIG", "/nowhere/at/all.toml", "cannot read '/nowhere/at/all.toml'"),
    ],
)
def test_an_error_in_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    assert says in refused()


def test_variables_of_kubernetes_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_PORT", "tcp://10.0.0.1:8080")
    monkeypatch.setenv("WATCHKEEPER_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("WATCHKEEPER_PORT_8080_TCP_PROTO", "tcp")
    assert load_settings() == Settings()


def test_secret_files_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_SECRETS_DIR", str(tmp_path))
    secret = tmp_path / "WATCHKEEPER_MODEL__API_KEY"
    secret.write_bytes(b"\xff")
    assert "cannot read a secret under WATCHKEEPER_SECRETS_DIR" in refused()
    secret.rename(tmp_path / "WATCHKEEPER_MODLE__API_KEY")
    assert "no such setting: modle" in refused()
    monkeypatch.setenv("WATCHKEEPER_SECRETS_DIR", str(tmp_path / "WATCHKEEPER_MODLE__API_KEY"))
    assert "must reference a directory" in refused()


@pytest.mark.parametrize("name", ["WATCHKEEPER_MODEL__API_KEY", "watchkeeper_pagerduty__routing_key"])
@pytest.mark.parametrize("file", [None, "WATCHKEEPER_MODEL__API_KEY", "..data"])
def test_a_directory_is_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, file: str | None) -> None:
    monkeypatch.setenv("WATCHKEEPER_SECRETS_DIR", str(tmp_path))
    directory = tmp_path / name
    directory.mkdir()
    if file:
        (directory / file).write_text("secret")
    assert f"{directory} is a directory, not a file with a secret" in refused()
    directory.rename(tmp_path / "..2026_11_30")
    assert load_settings().model.api_key is None


SECRET = "s3cr3t-of-mine"


@pytest.mark.parametrize(
    "text",
    [
        f'model = "{SECRET}"',
        f'[model]\napi_key = ["{SECRET}"]',
        f'[model]\napi_key = "{SECRET}\\n{SECRET}"',
        f'[model]\napi_key = "{SECRET}é"',
        f'[model]\napi_key = "{SECRET}"\nmax_completion_tokens = 0',
        f'[model]\nbase_url = "{SECRET}"',
        f'[prometheus]\nurl = "ftp://me:{SECRET}@host"',
        f'[teams.a]\nrouting_key = "x"\nroutingkey = "{SECRET}"',
        f'[teams]\na = "{SECRET}"',
        f'[github]\ntoken = {{ value = "{SECRET}" }}',
        f'[limits]\nrounds = "{SECRET}"',
    ],
)
def test_no_secret_is_in_an_error(write: Write, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(text))
    assert SECRET not in str(caught.value)
    assert SECRET not in str(caught.value.__cause__)


def test_a_number_instead_of_a_secret_is_not_shown(write: Write) -> None:
    assert "123456789" not in refused(write("[pagerduty]\nrouting_key = 123456789"))


def test_a_secret_is_never_shown(write: Write) -> None:
    settings = load_settings(
        write(f'[model]\napi_key = "{SECRET}"\n[teams.a]\nrouting_key = "{SECRET}-a"\n[tools.mine]\na = 1')
    )
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert settings.secrets == [f"{SECRET}-a", SECRET]


def test_white_space_around_secrets_is_removed(write: Write) -> None:
    key = load_settings(write('[model]\napi_key = " abc\\n"\n')).model.api_key
    assert key and key.get_secret_value() == "abc"


def test_matchers_may_come_in_braces(write: Write) -> None:
    settings = load_settings(write("""[services.a]\nteam = "x"\nlogs_selector = '{ app="a" }'\n"""))
    assert settings.services["a"].logs_selector == 'app="a"'


def test_a_run_may_change_the_configured_limits() -> None:
    settings = Settings(limits=Limits(rounds=3, tool_calls=4, tokens=5, duration=6))
    assert settings.limits_for(None) == settings.limits
    limits = settings.limits_for(LimitChanges(rounds=30, cost=1.5))
    assert limits == Limits(rounds=30, tool_calls=4, tokens=5, duration=6, cost=1.5)
    assert "cost" not in settings.limits_for(None).model_fields_set


def test_the_models_are_in_order(write: Write) -> None:
    settings = load_settings(write('[model]\nname = "a"\n[[fallbacks]]\nname = "b"\n[[fallbacks]]\nname = "c"\n'))
    assert [profile.name for profile in settings.profiles] == ["a", "b", "c"]


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().limits = Limits(rounds=1, tool_calls=1, tokens=1, duration=1)  # type: ignore[misc]
