"""Settings and credentials: one order of precedence, clear refusals, and a key that shows itself to nobody."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import logging
import os
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineread import config
from lineread.errors import ConfigError, LinereadError, OptionError
from support import python

BEIJING = "https://dashscope.aliyuncs.com/api/v1"


def key(**given: str) -> str | None:
    """The key in force."""
    found, _ = config.find_key(os.environ, **given)
    return None if found is None else found.reveal()


def credentials(text: str | bytes) -> Path:
    return written(Path.home() / ".alibabacloud" / "credentials", text)


def config_file(text: str | bytes) -> Path:
    return written(Path(os.environ["XDG_CONFIG_HOME"]) / "lineread" / "config.toml", text)


def written(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(**arguments: str) -> ConfigError:
    """The error of settings that are wrong: one line, with a remedy."""
    with pytest.raises(ConfigError) as caught:
        config.resolve(**arguments)  # type: ignore[arg-type]
    assert caught.value.remedy
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def test_the_key_comes_from_the_nearest_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument, then environment, then ``.env``, then the credentials file; the source is told."""
    sources = []

    def look() -> str | None:
        sources.append(config.find_key(os.environ)[1])
        return key()

    assert look() is None
    credentials("[default]\ndashscope_api_key = sk-file\n")
    assert look() == "sk-file"
    written(Path(".env"), "OTHER=1\nexport DASHSCOPE_API_KEY='sk-dotenv'\n")
    assert look() == "sk-dotenv"
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-env\n")
    assert look() == "sk-env"
    assert key(given="sk-argument") == "sk-argument"
    assert sources[0] == ""
    assert "[default]" in sources[1]
    assert ".alibabacloud" in sources[1]
    assert ".env" in sources[2]
    assert "DASHSCOPE_API_KEY" in sources[3]


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_blank_key_is_no_key(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    """An empty value, wherever it stands, does not hide the real key behind it."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", blank)
    written(Path(".env"), f'DASHSCOPE_API_KEY="{blank}"\n')
    credentials("[default]\ndashscope_api_key = sk-file\n")
    assert key(given=blank) == "sk-file"
    credentials("[default]\ndashscope_api_key =\n")
    assert key(given=blank) is None


def test_the_profile_chooses_the_section(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both names of the profile variable work, the newer one first; a profile without a key is told."""
    credentials(
        "[default]\ndashscope_api_key = sk-default\n[work]\ndashscope_api_key=sk-work\n"
        "[old]\nDASHSCOPE_API_KEY: sk-old\n[bare]\ntype = access_key\n"
    )
    assert key() == "sk-default"
    monkeypatch.setenv("ALICLOUD_PROFILE", "old")
    assert key() == "sk-old"
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "work")
    assert key() == "sk-work"
    for profile, words in (("bare", "has no dashscope_api_key"), ("wrok", "Did you mean work?"), ("DEFAULT", "[old]")):
        monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", profile)
        error = refused()  # and no other voice speaks as if there were no key
        assert profile in error.message
        assert "ALIBABA_CLOUD_PROFILE" in error.message
        assert words in str(error)


def test_percent_signs_and_dollars_are_no_templates() -> None:
    """What a file says is taken as it stands."""
    credentials("[default]\ndashscope_api_key = sk-%(home)s$HOME\n")
    assert key() == "sk-%(home)s$HOME"
    written(Path(".env"), "DASHSCOPE_API_KEY=sk-${HOME}\n")
    assert key() == "sk-${HOME}"


def test_files_with_a_byte_order_mark_are_read() -> None:
    """Windows editors put a mark in front of UTF-8: it hides neither the key nor the settings."""
    credentials(b"\xef\xbb\xbf[default]\r\ndashscope_api_key = sk-file\r\n")
    assert key() == "sk-file"
    written(Path(".env"), b"\xef\xbb\xbfDASHSCOPE_API_KEY=sk-dotenv\r\n")
    assert key() == "sk-dotenv"


@pytest.mark.parametrize(
    "content",
    [
        "sk-topsecret\n",
        "[default\ndashscope_api_key=sk-topsecret\n",
        "[default]\nsk-topsecret\n  sk-topsecret\n",
        "[default]\ndashscope_api_key=sk-topsecret\ndashscope_api_key=sk-topsecret\n",
        b"[default]\nx=\xff\xfesk-topsecret",
    ],
)
def test_a_broken_credentials_file_is_named_and_not_quoted(content: str | bytes) -> None:
    """The error names the file and what belongs in it; not even its traceback shows a line of it."""
    path = credentials(content)
    error = refused()
    assert str(path) in error.message
    assert "dashscope_api_key" in error.remedy
    assert "topsecret" not in "".join(traceback.format_exception(error))


def test_a_broken_dotenv_is_named_and_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    """So with ``.env``; lines that mean nothing are passed over without a word of what they hold."""
    written(Path(".env"), b"DASHSCOPE_API_KEY=sk-topsecret\nX=\xff\xff\n")
    error = refused()
    assert ".env" in error.message
    assert "topsecret" not in "".join(traceback.format_exception(error))
    caplog.set_level(logging.DEBUG)
    written(Path(".env"), "= sk-topsecret\n%%%\nDASHSCOPE_API_KEY=sk-topsecret\n")
    assert key() == "sk-topsecret"
    assert "topsecret" not in caplog.text


@pytest.mark.parametrize(
    "line",
    ['DASHSCOPE_API_KEY="sk-topsecret', "export DASHSCOPE_API_KEY='sk-topsecret", "DASHSCOPE_API_KEY sk-topsecret"],
)
def test_a_key_in_a_broken_line_is_not_passed_over(line: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A typo in the very line of the key is told: else another voice would speak as if there were no key."""
    written(Path(".env"), f"OTHER=1\n{line}\nMORE=2\n")
    error = refused()
    assert "line 2" in error.message
    assert "topsecret" not in "".join([*traceback.format_exception(error), *capfd.readouterr()])


@pytest.mark.parametrize("break_it", [lambda: written(Path(".env"), b"\xff"), lambda: credentials("no section")])
def test_an_engine_that_needs_no_key_is_not_stopped_by_one(break_it: Callable[[], Path]) -> None:
    """Where only engines without a use for the key can speak, it is not looked for; elsewhere the mistake is told."""
    break_it()
    for others in ({}, {"engine": "dashscope"}, {"engine": "builtin", "fallback": "dashscope"}, {"engine": "brought"}):
        refused(**others)
    for keyless in ({"engine": "builtin"}, {"engine": "fake", "fallback": "builtin"}):
        assert config.resolve(**keyless).key is None  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_passed_over(make: Callable[[str], None]) -> None:
    """A directory or a pipe where a file is read from is told at once; a virtual environment may be called .env."""
    for place in (
        ".env",
        f"{Path.home()}/.alibabacloud/credentials",
        f"{os.environ['XDG_CONFIG_HOME']}/lineread/config.toml",
    ):
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        make(place)
        assert "is not a file" in refused().message
        (os.rmdir if os.path.isdir(place) else os.unlink)(place)
    written(Path(".env/pyvenv.cfg"), "home = /usr/bin")
    assert key() is None


@pytest.mark.parametrize("wrong", [{"api_key": 5}, {"region": b"x"}, {"cache": object()}, {"cache": None}])
def test_arguments_of_another_type_are_refused(wrong: dict[str, Any]) -> None:
    """What is neither a string nor, for the cache, true or false is told by its name."""
    with pytest.raises(OptionError, match=next(iter(wrong))) as caught:
        config.resolve(**wrong)
    assert caught.value.remedy


def test_a_base_url_that_is_refused_is_shown_without_what_may_be_secret() -> None:
    """The message shows what is wrong with it, up to the host."""
    message = refused(base_url="ftp://me:topsecret@x.example/topsecret").message
    assert "'ftp://x.example' does not begin with http:// or https://" in message


@pytest.mark.parametrize("bad", ["sk-hush hush", "sk-\u2013hush", "sk-hush\x07hush", "sk-hush\nhush", "钥匙"])
def test_what_cannot_be_a_key_is_refused_unseen(bad: str) -> None:
    """A key that no header can carry is refused by its source, and not shown."""
    error = refused(api_key=bad)
    assert error.code == "bad_key"
    assert "api_key argument" in error.message
    shown = "".join(traceback.format_exception(error))
    assert "hush" not in shown
    assert bad not in shown


def test_a_key_shows_itself_to_nobody() -> None:
    """No way of turning settings into text, bytes or a report gives the key away."""
    secret = "sk-topsecret"
    settings = config.resolve(api_key=secret)
    assert settings.key is not None
    assert settings.key.reveal() == secret
    for shown in (
        repr(settings), str(settings), f"{settings}", f"{settings.key}", f"{settings.key!r:>20}", repr([settings.key]),
        settings.key_source,
    ):  # fmt: skip
        assert "topsecret" not in shown
    for leak in (
        pickle.dumps, copy.deepcopy, json.dumps, bytes, "".join,
        lambda key: pickle.dumps(key, 0), lambda key: dataclasses.asdict(dataclasses.replace(settings, key=key)),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError)):
            leak(settings.key)


def test_settings_come_explicit_then_environment_then_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting can be set in three places, and the nearest one wins."""
    values = {
        "engine": ("a", "b", "c"),
        "fallback": ("a", "b", "c"),
        "cache_dir": ("/a", "/b", "/c"),
        "cache_size": ("1", "2", "3"),
        "player": ("a", "b", "c"),
        "output_dir": ("a", "b", "c"),
        "base_url": ("http://x/a/", "http://x/b", "http://x/c"),
    }
    shown = {"cache_size": "cache_bytes"}
    config_file("".join(f'{name} = "{choices[2]}"\n' for name, choices in values.items()))

    def settled(**explicit: str) -> list[str]:
        settings = config.resolve(**explicit)  # type: ignore[arg-type]
        return [str(getattr(settings, shown.get(name, name))).rstrip("/") for name in values]

    assert settled() == [choices[2] for choices in values.values()]
    for name, choices in values.items():
        monkeypatch.setenv(config.VARIABLES[name], choices[1])
    assert settled() == [choices[1] for choices in values.values()]
    explicit = {name: choices[0] for name, choices in values.items()}
    assert settled(**explicit) == [choices[0].rstrip("/") for choices in values.values()]


@pytest.mark.parametrize("warm", [-1, 33, True, "2", 1.5])
def test_sockets_that_cannot_be_kept(warm: object) -> None:
    """How many are kept ready is a whole number within bounds."""
    with pytest.raises(OptionError, match="warm"):
        config.resolve(warm=warm)  # type: ignore[arg-type]


def test_the_defaults() -> None:
    """Nothing set: no engine of choice, no key, Beijing, two gigabytes of cache in the user's place, ``output``."""
    settings = config.resolve()
    home, cache = os.environ["HOME"], os.environ["XDG_CACHE_HOME"]
    settings.notice("nobody hears it")
    assert {**dataclasses.asdict(settings), "notice": None} == {
        "notice": None,
        "engine": None, "fallback": None, "key": None, "key_source": "", "base_url": BEIJING, "region": "cn-beijing",
        "workspace": None, "cache_dir": f"{cache}/lineread", "state_dir": f"{home}/.local/state/lineread",
        "data_dir": f"{home}/.local/share/lineread",
        "cache_bytes": 2 << 30, "output_dir": "output", "player": None,
        "hub": "https://huggingface.co", "offline": False, "warm": 1,
    }  # fmt: skip
    assert config.resolve(cache=False).cache_dir is None
    assert config.resolve(cache=False, cache_dir="/x").cache_dir is None


def test_directories_of_a_user_without_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the XDG variables the cache and the settings lie at the usual places below the home directory."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    written(Path.home() / ".config" / "lineread" / "config.toml", 'engine = "fake"')
    settings = config.resolve()
    assert settings.cache_dir == str(Path.home() / ".cache" / "lineread")
    assert settings.engine == "fake"


def test_an_environment_can_be_given() -> None:
    """Settings can be resolved for an environment that is not the process's own."""
    home = Path("elsewhere")
    written(home / ".alibabacloud" / "credentials", "[p]\ndashscope_api_key = sk-other\n")
    settings = config.resolve({"HOME": str(home), "ALIBABA_CLOUD_PROFILE": "p", "LINEREAD_ENGINE": "dashscope"})
    assert settings.key is not None
    assert settings.key.reveal() == "sk-other"
    assert settings.engine == "dashscope"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('engnie = "x"', ["engnie", "Did you mean engine"]),
        ("engine = true", ["engine", "string"]),
        ("cache_size = 1.5", ["cache_size", "string"]),
        ("engine = ['x']", ["engine", "string"]),
        ("engine = ", ["config.toml", "Invalid value"]),
        ('cache_size = "much"', ["'much'", "500M"]),
        ('base_url = "dashscope.example"', ["base URL", "https://"]),
        (b'engine = "\xff"', ["config.toml"]),
        ('api_key = "sk-topsecret"', ["api_key"]),
    ],
)
def test_a_wrong_settings_file_is_explained(content: str | bytes, words: list[str]) -> None:
    """Each mistake in config.toml gets one line that names file or setting, and the way out; no value of a key."""
    config_file(content)
    error = refused()
    for word in words:
        assert word in str(error)
    assert "topsecret" not in "".join(traceback.format_exception(error))


def test_numbers_in_the_settings_file() -> None:
    """A size may be written as a number; 0 is a size."""
    config_file("cache_size = 1000")
    assert config.resolve().cache_bytes == 1000
    config_file("cache_size = 0")
    assert config.resolve().cache_bytes == 0


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("123", 123), ("500M", 500 << 20), ("500 mb", 500 << 20), ("2G", 2 << 30), ("2 GiB", 2 << 30),
     ("1.5k", 1536), ("1T", 1 << 40), (" 7 ", 7), ("10B", 10)],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    """A size is a number with or without a unit, as people write it."""
    assert config.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1", "1e3", "1..5", "5 apples", "1,000", "nan", "inf", "9" * 400, "0x10"])
def test_what_is_no_size(text: str) -> None:
    """Everything else is refused with an example."""
    with pytest.raises(ConfigError, match="500M"):
        config.parse_size(text)


@given(st.text())
def test_any_text_is_a_size_or_refused(text: str) -> None:
    """No text makes the parser fail in another way."""
    with contextlib.suppress(ConfigError):
        assert config.parse_size(text) >= 0


@pytest.mark.parametrize(
    ("settings", "base_url", "region", "workspace"),
    [
        ({}, BEIJING, "cn-beijing", None),
        ({"region": "ap-southeast-1"}, "https://dashscope-intl.aliyuncs.com/api/v1", "ap-southeast-1", None),
        ({"region": "singapore"}, "https://dashscope-intl.aliyuncs.com/api/v1", "ap-southeast-1", None),
        ({"workspace": "llm-abc123"}, "https://llm-abc123.cn-beijing.maas.aliyuncs.com/api/v1", "cn-beijing", None),
        (
            {"workspace": "ws-1", "region": "ap-southeast-1"},
            "https://ws-1.ap-southeast-1.maas.aliyuncs.com/api/v1",
            "ap-southeast-1",
            None,
        ),
        ({"base_url": "http://127.0.0.1:8080/api/v1/"}, "http://127.0.0.1:8080/api/v1", "", None),
        ({"base_url": "https://proxy.example/x", "workspace": "ws-1"}, "https://proxy.example/x", "", "ws-1"),
        ({"base_url": "https://proxy.example/x", "region": "singapore"}, "https://proxy.example/x", "", None),
        ({"base_url": "http://127.0.0.1:8765"}, "http://127.0.0.1:8765/api/v1", "", None),
        ({"base_url": "https://speech.example/"}, "https://speech.example/api/v1", "", None),
    ],
)
def test_endpoints(settings: dict[str, str], base_url: str, region: str, workspace: str | None) -> None:
    """Region, workspace and base URL lead to the right place; the user's own comes first, and may lack a path."""
    found = config.resolve(**settings)  # type: ignore[arg-type]
    assert (found.base_url, found.region, found.workspace) == (base_url, region, workspace)


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "dashscope.aliyuncs.com"}, {"base_url": "ftp://x"}, {"base_url": "https://"},
        {"base_url": "https:///api"}, {"base_url": "wss://dashscope.aliyuncs.com"}, {"base_url": "http:// "},
        {"workspace": "a.b"}, {"workspace": "evil.example/"}, {"workspace": "-"}, {"workspace": "工作"},
        {"workspace": "a\r\nX-Evil: 1", "base_url": "https://proxy.example"},
        {"region": "mars"}, {"region": "us-east-1"},
    ],
)  # fmt: skip
def test_impossible_endpoints(settings: dict[str, str]) -> None:
    """What cannot be a host is refused before anything is sent to it."""
    refused(**settings)


def test_the_nearest_level_decides_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for a region in person does not get the base URL that the environment has, and the other way round."""
    monkeypatch.setenv("DASHSCOPE_HTTP_BASE_URL", "https://env.example/api/v1")
    config_file('region = "singapore"\nworkspace = "ws-1"\n')
    assert config.resolve().base_url == "https://env.example/api/v1"
    assert config.resolve().workspace == "ws-1"
    assert config.resolve(region="cn-beijing").base_url == "https://ws-1.cn-beijing.maas.aliyuncs.com/api/v1"
    monkeypatch.delenv("DASHSCOPE_HTTP_BASE_URL")
    assert config.resolve().region == "ap-southeast-1"
    monkeypatch.setenv("DASHSCOPE_API_REGION", "cn-beijing")
    assert config.resolve().region == "cn-beijing"
    assert config.resolve(base_url="https://own.example/v").base_url == "https://own.example/v"


def test_the_services_own_hosts_get_the_key_over_tls_only() -> None:
    """A base URL of the service that lacks the s is mended; any other host is the user's own affair."""
    assert config.resolve(base_url="http://dashscope.aliyuncs.com/api/v1").base_url == BEIJING
    assert config.resolve(base_url="http://aliyuncs.com.example/v1").base_url == "http://aliyuncs.com.example/v1"


def test_a_region_without_qwen_tts_names_those_with() -> None:
    """The error for a region lists the ones that serve."""
    with pytest.raises(LinereadError, match=r"cn-beijing .*ap-southeast-1"):
        config.resolve(region="eu-central-1")


def test_files_are_not_parsed_when_there_are_none() -> None:
    """Without files no parser is loaded: a cached line is answered faster than any of them imports."""
    code = (
        "import sys; from lineread import config; config.resolve();"
        "print([m for m in ('tomllib', 'configparser', 'dotenv', 'logging', 'asyncio') if m in sys.modules])"
    )
    child = python(code)
    assert (child.stdout.decode().strip(), child.stderr) == ("[]", b"")


def test_whoever_keeps_settings_can_tell_when_they_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state differs after each change of a variable or a file that settings are read from, and only then."""
    states = [config.state()]

    def changed() -> bool:
        states.append(config.state())
        return states[-1] != states[-2]

    assert not changed()
    for name in (*config.VARIABLES.values(), "DASHSCOPE_API_KEY", "ALIBABA_CLOUD_PROFILE", "ALICLOUD_PROFILE"):
        monkeypatch.setenv(name, "x")
        assert changed(), name
    for write in (credentials, config_file, lambda text: written(Path(".env"), text)):
        path = write("a")
        assert changed()
        path.write_text("ab")
        assert changed()
        path.unlink()
        assert changed()
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, "/elsewhere")
        assert changed(), name
    monkeypatch.setenv("UNRELATED", "x")
    assert not changed()


def test_the_engine_that_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is set speaks; else the cloud where there is a key, and the machine where there is none."""
    assert config.resolve().chosen_engine == "local"
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-env")
    assert config.resolve().chosen_engine == "dashscope"
    assert config.resolve(engine="fake").chosen_engine == "fake"


def test_a_survey_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything wrong is told, what is right holds, and the rest is as if nobody had set it."""
    plain = config.resolve()
    config_file("player = [")
    credentials("no section")
    monkeypatch.setenv("LINEREAD_CACHE_SIZE", "much")
    monkeypatch.setenv("DASHSCOPE_API_REGION", "mars")
    monkeypatch.setenv("OUTPUT_DIR", "mine")
    settings, troubles = config.survey(engine="dashscope")
    assert len(troubles) == 4
    assert all(trouble.remedy for trouble in troubles)
    assert settings == dataclasses.replace(plain, engine="dashscope", output_dir="mine")
    assert str(refused()) == str(troubles[0])


def test_an_empty_variable_of_server_keys_is_not_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set to nothing is told from not set: it has to stop a server's start instead of opening it to everybody."""
    assert config.server_keys() is None
    monkeypatch.setenv(config.SERVER_KEYS_VARIABLE, "")
    assert config.server_keys() == ""
