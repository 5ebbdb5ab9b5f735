"""Settings: where they come from and what is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from bot.settings import Settings, load
from index.errors import SettingsError

EXAMPLE = Path(__file__).parents[2] / "config" / "onrecord.toml"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ONRECORD_DATA", "ONRECORD_COLLECTION", "ONRECORD_CONFIG", "DISCORD_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_arguments_outweigh_environment_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line comes before the environment, and that before the file."""
    config = write(tmp_path / "c.toml", 'data = "/from/file"\ncollection = "file"')
    assert load(config=config).data == Path("/from/file")
    monkeypatch.setenv("ONRECORD_DATA", "/from/environment")
    assert load(config=config).data == Path("/from/environment")
    assert load(config=config).collection == "file"
    assert load(config=config, data=Path("/given")).data == Path("/given")


@pytest.mark.parametrize(
    "text",
    ["nonsense = 1", "[model]\nthreads = 0", "[answers]\nthreshold = 2", "not toml", 'token = "x"'],
)
def test_wrong_settings_are_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    """Unknown names, values out of bounds, no TOML and a token in a file are refused."""
    with pytest.raises(SettingsError) as refused:
        load(config=write(tmp_path / "c.toml", text))
    assert str(refused.value).endswith(".")


def test_token_comes_from_the_environment_and_stays_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The token is read from DISCORD_TOKEN and is not in the settings' repr."""
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    settings = load()
    assert settings.token is not None
    assert settings.token.get_secret_value() == "very-secret"
    assert "very-secret" not in repr(settings)


def test_example_file_is_complete_and_says_the_defaults() -> None:
    """config/onrecord.toml names every setting, with the values that hold without it."""
    text = EXAMPLE.read_text(encoding="utf-8")
    uncommented = "\n".join(
        line.removeprefix("#:") for line in text.splitlines() if not line.startswith("# ")
    )
    values = tomllib.loads(uncommented)
    shown = Settings(**values)
    assert shown == Settings(data=shown.data)
    assert set(values) == set(Settings.model_fields) - {"token"}
    for section in ("model", "answers", "discord"):
        assert set(values[section]) == set(type(getattr(shown, section)).model_fields)
