"""Settings and credentials, resolved once, at the edge.

Owns the order explicit > environment > files, and the only reads of the environment in lineread. Everything below
takes values. Files are read only when they are there: ``.env`` of the working directory (for the key),
``~/.alibabacloud/credentials`` (for the key) and ``lineread/config.toml`` in the user's configuration directory. The
key is looked for only where an engine may need it: what is wrong with it shall not stop one that needs none.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from lineread import catalogue
from lineread.errors import ConfigError, OptionError, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

KEY_VARIABLE: Final = "DASHSCOPE_API_KEY"
#: The keys of a server's clients; not to be mixed up with the service's own.
SERVER_KEYS_VARIABLE: Final = "LINEREAD_SERVER_KEYS"
#: Where the service's HTTP interface is on its hosts.
_PATH: Final = "/api/v1"
#: Engines that have no use for the service's key.
KEYLESS: Final = frozenset({"local", "builtin", "kokoro", "espeak", "fake"})
DEFAULT_CACHE_BYTES: Final = 2 << 30
DEFAULT_HUB: Final = "https://huggingface.co"
#: Most sockets that are kept ready: each is a session that the account's limit counts.
MOST_WARM: Final = 32
#: What config.toml may say, and the environment variable that outranks it.
VARIABLES: Final = {
    "engine": "LINEREAD_ENGINE",
    "fallback": "LINEREAD_FALLBACK",
    "cache_dir": "LINEREAD_CACHE_DIR",
    "cache_size": "LINEREAD_CACHE_SIZE",
    "data_dir": "LINEREAD_DATA_DIR",
    "hub": "HF_ENDPOINT",
    "offline": "LINEREAD_OFFLINE",
    "player": "LINEREAD_PLAYER",
    "output_dir": "OUTPUT_DIR",
    "base_url": "DASHSCOPE_HTTP_BASE_URL",
    "region": "DASHSCOPE_API_REGION",
    "workspace": "DASHSCOPE_WORKSPACE_ID",
}
#: Variables that name the profile of the credentials file, the newer one first.
PROFILE_VARIABLES: Final = ("ALIBABA_CLOUD_PROFILE", "ALICLOUD_PROFILE")
_READ: Final = (
    KEY_VARIABLE,
    *VARIABLES.values(),
    *PROFILE_VARIABLES,
    "HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
)
_KEY_OPTION: Final = "dashscope_api_key"
_SWITCHES: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*([kmgt]?)i?b?", re.IGNORECASE)
T = TypeVar("T")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Secret:
    """A key that shows itself to nobody who does not ask for it by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself, for the one header that carries it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is set rather than asked for.

    Attributes:
        engine: The engine to use; None means: the cloud when there is a key, else the machine's own voices.
        fallback: The engine that speaks when the first one fails; None for no other voice.
        key: The DashScope key, if one was found.
        key_source: Where it was found, in words.
        base_url: The service's HTTP base.
        region: The region that the base URL belongs to; empty for a URL of the user's own.
        workspace: Workspace id sent along with each call to a base URL of the user's own.
        cache_dir: Where finished segments are kept; None for no cache.
        cache_bytes: Most bytes that the cache keeps.
        data_dir: Where voices are kept: those of the user's own, and packs of voices for the machine.
        state_dir: Where processes share how often they have called.
        output_dir: Base of the default output directory.
        hub: Base URL of the model hub, or its mirror, that packs of voices are fetched from.
        offline: No pack is fetched; the cloud's engines are not held back by it.
        player: Command that plays PCM from standard input; None to look for one.
        warm: Realtime sockets that are kept ready for each model while live sessions are open.
        notice: Takes the lines that an engine wants its user to know, from any thread; a client's own takes each once.
    """

    engine: str | None
    fallback: str | None
    key: Secret | None
    key_source: str
    base_url: str
    region: str
    workspace: str | None
    cache_dir: str | None
    cache_bytes: int
    data_dir: str
    state_dir: str
    output_dir: str
    player: str | None
    hub: str = DEFAULT_HUB
    offline: bool = False
    warm: int = 1
    notice: Callable[[str], None] = lambda _: None

    @property
    def chosen_engine(self) -> str:
        """The engine that speaks when a call names none."""
        return self.engine or ("local" if self.key is None else "dashscope")

    @property
    def needs_key(self) -> bool:
        """The key is of use: to an engine that is named, or to choose one."""
        return not {self.engine, self.fallback or self.engine} <= KEYLESS


def resolve(
    environ: Mapping[str, str] | None = None,
    *,
    api_key: str | None = None,
    cache: bool = True,
    warm: int = 1,
    **explicit: str | None,
) -> Settings:
    """The settings in force.

    Args:
        environ: The environment; the process's own by default.
        api_key: A key given in person.
        cache: False keeps nothing and looks nothing up.
        warm: As in :class:`Settings`.
        **explicit: Any of the names in :data:`VARIABLES`; None means not given.

    Raises:
        ConfigError: A setting has a value that it cannot have.
        OptionError: An argument has a type that it cannot have.
    """
    for name, value in {"api_key": api_key, **explicit}.items():
        if not isinstance(value, str | None):
            raise OptionError(f"{name} must be a string, not {type(value).__name__}.", remedy="Write it in quotes.")
    if not isinstance(cache, bool):
        raise OptionError("cache must be true or false.", remedy="cache_dir says where finished lines are kept.")
    if isinstance(warm, bool) or not isinstance(warm, int) or not 0 <= warm <= MOST_WARM:
        raise OptionError("warm is out of range.", remedy=f"Give a whole number of sockets from 0 to {MOST_WARM}.")
    settings, troubles = survey(environ, api_key=api_key, cache=cache, **explicit)
    if troubles:
        raise troubles[0]
    return replace(settings, warm=warm)


def survey(
    environ: Mapping[str, str] | None = None,
    *,
    api_key: str | None = None,
    cache: bool = True,
    **explicit: str | None,
) -> tuple[Settings, tuple[ConfigError, ...]]:
    """The settings as far as they make sense, and everything that does not. Arguments as for :func:`resolve`."""
    environ = os.environ if environ is None else environ
    troubles: list[ConfigError] = []

    def attempt(part: Callable[[], T], otherwise: T) -> T:
        try:
            return part()
        except ConfigError as error:
            troubles.append(error)
            return otherwise

    no_file: dict[str, str] = {}
    from_file = attempt(lambda: _config_file(environ), no_file)

    def setting(name: str) -> str | None:
        return explicit.get(name) or environ.get(VARIABLES[name]) or from_file.get(name)

    cache_dir = setting("cache_dir") or _user_dir(environ, "XDG_CACHE_HOME", ".cache")
    named = {name: environ.get(variable) for name, variable in VARIABLES.items()}
    base_url, region, workspace = attempt(lambda: _endpoint(explicit, named, from_file), _endpoint())
    settings = Settings(
        engine=setting("engine"),
        fallback=setting("fallback"),
        key=None,
        key_source="",
        base_url=base_url,
        region=region,
        workspace=workspace,
        cache_dir=os.path.expanduser(cache_dir) if cache else None,
        cache_bytes=attempt(lambda: parse_size(setting("cache_size") or str(DEFAULT_CACHE_BYTES)), DEFAULT_CACHE_BYTES),
        data_dir=os.path.expanduser(
            setting("data_dir") or _user_dir(environ, "XDG_DATA_HOME", os.path.join(".local", "share"))
        ),
        state_dir=_user_dir(environ, "XDG_STATE_HOME", os.path.join(".local", "state")),
        output_dir=os.path.expanduser(setting("output_dir") or "output"),
        player=setting("player"),
        hub=attempt(lambda: _hub(setting("hub") or DEFAULT_HUB), DEFAULT_HUB),
        offline=attempt(lambda: _switch("offline", setting("offline") or "0"), otherwise=False),
    )
    if settings.needs_key:
        no_key: tuple[Secret | None, str] = (None, "")
        key, key_source = attempt(lambda: find_key(environ, api_key), no_key)
        settings = replace(settings, key=key, key_source=key_source)
    return settings, tuple(troubles)


def state() -> Hashable:
    """What all settings depend on: whoever keeps settings compares it to learn whether they still hold."""
    files = (".env", _credentials(os.environ), _settings_file(os.environ))
    return tuple(os.environ.get(name) for name in _READ), tuple(map(_version, files))


def find_key(environ: Mapping[str, str], given: str | None = None) -> tuple[Secret | None, str]:
    """The DashScope key and where it was found: argument, environment, ``.env``, credentials file.

    Raises:
        ConfigError: A file cannot be read, or what was found cannot be a key.
    """
    if given and given.strip():
        return _secret(given, "the api_key argument"), "the api_key argument"
    if environ.get(KEY_VARIABLE, "").strip():
        source = f"the environment variable {KEY_VARIABLE}"
        return _secret(environ[KEY_VARIABLE], source), source
    for find in (_key_from_dotenv, _key_from_credentials):
        value, source = find(environ)
        if value.strip():
            return _secret(value, source), source
    return None, ""


def server_keys() -> str | None:
    """What the environment says of the keys of a server's clients; None where it says nothing.

    An empty variable is not None: who sets it means to have keys, and has to be told that there is none.
    """
    return os.environ.get(SERVER_KEYS_VARIABLE)


def data_dir() -> str:
    """Where voices are kept, for who needs no other setting."""
    return survey(cache=False)[0].data_dir


def key_file() -> str:
    """Where the keys of a server's clients are kept when nobody names another file."""
    return _own_file(os.environ, "keys.toml")


def parse_size(text: str, what: str = "cache_size") -> int:
    """Bytes of a size such as ``500M`` or ``2 GiB``.

    Raises:
        ConfigError: It is no size; ``what`` says whose.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        shown = shortened(text)
        raise ConfigError(f"{what} takes a size, not {shown!r}.", remedy="Write a number of bytes, or 500M, or 2G.")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def _hub(url: str) -> str:
    """A model hub's base URL, if it is one."""
    scheme, _, host = url.strip().rstrip("/").partition("://")
    if scheme not in ("http", "https") or not host or not url.isprintable() or " " in url.strip():
        raise ConfigError(
            "The model hub's address does not begin with http:// or https:// and a host.",
            remedy=f"Set {VARIABLES['hub']} to something like {DEFAULT_HUB}, or leave it out.",
            code="bad_hub",
        )
    return f"{scheme}://{host}"


def _switch(name: str, value: str) -> bool:
    """Whether a setting that is on or off is on."""
    word = value.strip().lower()
    if word not in _SWITCHES:
        raise ConfigError(f"{name} takes 1 or 0, not {shortened(value)!r}.", remedy=f"Write {name}=1 or {name}=0.")
    return _SWITCHES[word]


def _secret(value: str, source: str) -> Secret:
    value = value.strip()
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigError(
            f"The DashScope key from {source} holds characters that no key has.",
            remedy="Copy it again from the Model Studio console.",
            code="bad_key",
        )
    return Secret(value)


def _key_from_dotenv(_: Mapping[str, str]) -> tuple[str, str]:
    # Many keep a virtual environment at that place.
    if os.path.exists(os.path.join(".env", "pyvenv.cfg")) or not _is_there(".env"):
        return "", ""
    from dotenv.parser import parse_stream  # noqa: PLC0415 - only who has a .env pays for its parser

    try:
        with open(".env", encoding="utf-8-sig") as file:
            lines = [*parse_stream(file)]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f".env cannot be read: {_reason(error)}.", remedy=f"Repair it, or set {KEY_VARIABLE} in the environment."
        ) from error
    if broken := next((line for line in lines if line.error and KEY_VARIABLE in line.original.string), None):
        raise ConfigError(
            f".env sets {KEY_VARIABLE} at line {broken.original.line} in a way that cannot be read.",
            remedy=f"Write {KEY_VARIABLE}=sk-... and check the quotes.",
        )
    values = {line.key: line.value for line in lines}
    return values.get(KEY_VARIABLE) or "", ".env in the working directory"


def _key_from_credentials(environ: Mapping[str, str]) -> tuple[str, str]:
    path = _credentials(environ)
    if not _is_there(path):
        return "", ""
    profile, variable = _profile(environ)
    profiles = _profiles(path)
    key = profiles.get(profile, {}).get(_KEY_OPTION, "")
    if variable and profile not in profiles:
        known = ", ".join(f"[{name}]" for name in profiles) or "no profile"
        hint = catalogue.suggestion(profile, profiles, f"The file has {known}; correct {variable}.")
        shown = shortened(profile)
        raise ConfigError(f"{path} has no profile [{shown}], which {variable} names.", remedy=hint)
    if variable and not key.strip():
        raise ConfigError(
            f"{path}: the profile [{profile}], which {variable} names, has no {_KEY_OPTION}.",
            remedy=f"Add the line `{_KEY_OPTION} = sk-...`, or name another profile.",
        )
    return key, f"{path}, profile [{profile}]"


def _profile(environ: Mapping[str, str]) -> tuple[str, str]:
    """The profile of the credentials file, and the variable that names it (empty for the default one)."""
    named = ((environ.get(variable), variable) for variable in PROFILE_VARIABLES)
    return next(((profile, variable) for profile, variable in named if profile), ("default", ""))


def _profiles(path: str) -> dict[str, dict[str, str]]:
    import configparser  # noqa: PLC0415 - only who has such a file pays for its parser

    parser = configparser.ConfigParser(interpolation=None, default_section="\0")
    try:
        with open(path, encoding="utf-8-sig") as file:
            parser.read_file(file)
    except (configparser.Error, OSError, UnicodeDecodeError):
        raise ConfigError(
            f"{path} is not a credentials file that can be read.",
            remedy="It should hold lines such as `[default]` and `dashscope_api_key = sk-...`.",
        ) from None  # the parser's own error quotes the line, and the line may be the key
    return {name: dict(parser[name]) for name in parser.sections()}


def _config_file(environ: Mapping[str, str]) -> dict[str, str]:
    path = _settings_file(environ)
    if not _is_there(path):
        return {}
    import tomllib  # noqa: PLC0415 - only who has a configuration file pays for its parser

    try:
        with open(path, "rb") as file:
            facts = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {_reason(error)}.", remedy="Repair or remove it.") from error
    for name, value in facts.items():
        if name not in VARIABLES:
            hint = catalogue.suggestion(name, VARIABLES, f"It may set {', '.join(VARIABLES)}.")
            raise ConfigError(f"{path} sets {shortened(name)!r}, which is no setting.", remedy=hint)
        if not isinstance(value, str | int) or (isinstance(value, bool) and name != "offline"):
            raise ConfigError(f"{path}: {name} must be a string.", remedy=f'Write {name} = "...".')
    return {name: str(value) for name, value in facts.items()}


def _endpoint(*levels: Mapping[str, str | None]) -> tuple[str, str, str | None]:
    """Base URL, region and the workspace to name in a header (a workspace host names it by itself).

    The first level that names a base URL or a region decides: who asks for Singapore in person does not mean the base
    URL that the environment has.
    """
    workspace = next(filter(None, (level.get("workspace") for level in levels)), None)
    if workspace and not (workspace.isascii() and workspace.replace("-", "").isalnum()):
        raise ConfigError("The workspace id has characters that no workspace id has.", remedy="Copy it again.")
    level = next((level for level in levels if level.get("base_url") or level.get("region")), {})
    base_url = level.get("base_url")
    if base_url:
        return _base(base_url), "", workspace
    try:
        place = catalogue.region(level.get("region") or "cn-beijing")
    except OptionError as error:
        raise ConfigError(error.message, remedy=error.remedy, code="unknown_region") from error
    if workspace:
        return f"https://{workspace}.{place.id}.maas.aliyuncs.com/api/v1", place.id, None
    return place.http, place.id, None


def _base(url: str) -> str:
    """A base URL of the user's own, if it is one. The service's own hosts get the key over TLS only.

    Where it has no path it gets that of the service, and of our own server: such a URL is what a server's banner shows,
    and what works for the realtime socket, which is at another path of the same host.
    """
    scheme, _, rest = url.rstrip("/").partition("://")
    host, _, path = rest.partition("/")
    if scheme not in ("http", "https") or not host.strip():
        shown = (rest or url).partition("/")[0].rpartition("@")[2]  # what else is in it may be a secret
        shown = shortened(f"{scheme}://{shown}" if rest else shown)
        raise ConfigError(
            f"The base URL {shown!r} does not begin with http:// or https:// and a host.",
            remedy="It looks like https://dashscope.aliyuncs.com/api/v1.",
        )
    return f"{'https' if host.endswith('.aliyuncs.com') else scheme}://{rest if path else host + _PATH}"


def _credentials(environ: Mapping[str, str]) -> str:
    return os.path.join(_home(environ), ".alibabacloud", "credentials")


def _settings_file(environ: Mapping[str, str]) -> str:
    return _own_file(environ, "config.toml")


def _own_file(environ: Mapping[str, str], name: str) -> str:
    """A file in lineread's directory below the user's configuration."""
    return os.path.join(_user_dir(environ, "XDG_CONFIG_HOME", ".config"), name)


def _is_there(path: str) -> bool:
    """Whether a file lies there.

    Raises:
        ConfigError: Something else does. Nobody put it there to be ignored; a pipe could be waited for without end.
    """
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
    if not is_file:
        raise ConfigError(f"{path} is not a file.", remedy="Remove it, or put a file in its place.")
    return True


def _version(path: str) -> Hashable:
    """Changes whenever a file does; None where there is none."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_dev, about.st_ino, about.st_mtime_ns, about.st_size


def _user_dir(environ: Mapping[str, str], variable: str, otherwise: str) -> str:
    base = environ.get(variable) or os.path.join(_home(environ), otherwise)
    return os.path.join(base, "lineread")


def _home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME") or os.path.expanduser("~")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).splitlines()[0]
