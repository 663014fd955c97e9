"""What can be set, and from where: flag > `FLYBALL_*` environment variable > `flyball.toml` > default.

The settings are read once, into one frozen value that `workspace.py` hands down. No room reads the environment.
A relative path in the project file counts from the project; one in a flag or variable, from the folder one stands in.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, get_args

from flyball.errors import InvalidInput, did_you_mean

FILE = "flyball.toml"
HOME = "default"
"""The project that is the workspace itself; it holds what is known of the others."""
PROJECTS = "projects"
"""Folder of the workspace below which the other projects have theirs, and the same word in addresses."""
ClockKind = Literal["system", "virtual"]
Networks = Literal["public", "any"]
Auth = Literal["local", "on"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]
_PROJECT = re.compile(r"[a-z0-9][a-z0-9._-]{0,49}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one process.

    Attributes:
        root: Root folder of one's code: the one that holds `flyball.toml`.
        name: What this code is called when other tools are told of it; by default as the root folder.
        module: File that declares pipelines and loops, relative to `root`.
        workspace: Folder of the local workspace.
        project: The project of the workspace, or of the server at `url`, that one works in; `default` is the workspace itself.
        url: Address of a team server; empty means the local workspace.
        token: Token for the team server.
        database: SQLAlchemy URL; by default SQLite in the workspace.
        objects: Folder or `s3://bucket/prefix` that holds the bytes; by default in the workspace.
        online: Where features for serving are kept: `sqlite:///path`, `lmdb:///folder`, `redis://host/0` or
            `postgresql://user@host/name`; by default SQLite in the workspace.
        s3_endpoint: Address of the S3 service, where it is not Amazon's.
        s3_region: Region of the bucket.
        clock: `system`, or `virtual` for a workspace that replays history.
        host: Address that `flyball up` binds to.
        port: Port of the server; the model server takes the next one.
        log_level: Least severe level of the log that is written.
        signing_key: File of the private key that versions are signed with as they are registered; empty: they are not.
        secrets_key: What encrypts secrets: empty for a key file in the workspace's folder, `file:PATH`, or `command:PROGRAM` for a
            program that speaks with a key management system.
        webhook_networks: Where webhooks of the registry may stand: at `public` addresses, or at `any`.
        openlineage: Where runs and data are told as OpenLineage events: an address, or a file; empty: nowhere.
        openlineage_key: Sent to that address as a bearer token, if it is set.
        otlp: Where traces are sent by OTLP/HTTP, such as `http://localhost:4318`; empty: nowhere.
        auth: Who may come in: `local`, the owner of this machine's account alone, or `on`, people and programs with accounts.
        hosts: Names in addresses that the server answers to beside this machine's own, with commas between them.
        tls_cert: File of the certificate, with those that vouch for it; with it and its key the server speaks https.
        tls_key: File of the certificate's private key.
        behind_proxy: Address that people see, such as `https://ml.example.org`, where a proxy in front speaks https for us.
        proxies: Addresses of that proxy, with commas between them; only what comes from there is believed about who asks.
        session_hours: How long a browser stays logged in.
        rate_limit: How many requests a second one account may make, on average; 0 for as many as it likes.
        request_seconds: How long a request may take.
        max_body_mib: How large a body may be, in MiB; files may be larger.
        oidc_issuer: Address of the provider of single sign-on; empty: there is none.
        oidc_client_id: What the provider calls this server.
        oidc_client_secret: What this server proves itself with there; empty for a public client.
        oidc_scopes: What is asked of it.
        oidc_groups: Name of the claim that holds somebody's groups.
        oidc_roles: What groups there may do here, such as `ml-team=default:contributor, ops=default:owner, root=admin`.
        executor: Where the steps of pipelines run: `local`, this machine, or the name of another executor.
        disk_reserve_mib: How much of the workspace's disk stays free, in MiB: nothing is written while less is; 0 for none.
        home: The settings of the workspace that holds the project, where these are already those of the project's own
            database, objects and folder; nobody sets it.
    """

    root: Path
    name: str
    module: str = "project.py"
    workspace: Path
    project: str = HOME
    url: str = ""
    token: str = ""
    database: str
    objects: str
    online: str
    s3_endpoint: str = ""
    s3_region: str = "us-east-1"
    clock: ClockKind = "system"
    host: str = "127.0.0.1"
    port: int = 8080
    log_level: LogLevel = "info"
    signing_key: str = ""
    secrets_key: str = ""
    webhook_networks: Networks = "public"
    openlineage: str = ""
    openlineage_key: str = ""
    otlp: str = ""
    auth: Auth = "local"
    hosts: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    behind_proxy: str = ""
    proxies: str = "127.0.0.1,::1"
    session_hours: int = 12
    rate_limit: int = 0
    request_seconds: int = 600
    max_body_mib: int = 256
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_scopes: str = "openid profile email"
    oidc_groups: str = "groups"
    oidc_roles: str = ""
    executor: str = "local"
    disk_reserve_mib: int = 256
    home: Settings | None = None

    @property
    def folder(self) -> Path:
        """Folder on this machine for what belongs to the project alone, such as runs that are still to be sent."""
        return self.workspace if self.is_home or self.home is not None else self.workspace / PROJECTS / self.project

    @property
    def is_home(self) -> bool:
        """Whether they are those of the workspace itself, and not of a further project in it."""
        return self.project == HOME


_NUMBERS = {"port": (0, 65_535), "session_hours": (1, 8760), "rate_limit": (0, 10**6), "request_seconds": (1, 86_400),
            "disk_reserve_mib": (0, 10**9),
            "max_body_mib": (1, 65_536)}  # fmt: skip
_CHOICES = {"clock": ClockKind, "log_level": LogLevel, "webhook_networks": Networks, "auth": Auth}
SETTABLE = tuple(field.name for field in fields(Settings) if field.name not in ("root", "home"))


def find_project(start: Path) -> Path | None:
    """The nearest folder at or above `start` that is a project; none if there is no such."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file() or "flyball" in _tool_table(folder / "pyproject.toml"):
            return folder
    return None


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    start: Path | None = None,
) -> Settings:
    """Reads the settings from flags, environment, project file and defaults, in this order.

    Args:
        flags: Settings given on the command line or in code; those that are None do not count.
        environment: The environment variables; those of the process by default.
        start: Folder to look for the project from; the present one by default.

    Raises:
        InvalidInput: a source holds an unknown name or an unusable value; it says which source.
    """
    environment = os.environ if environment is None else environment
    start = (start or Path.cwd()).resolve()
    project = find_project(start) or start
    source, in_file = _read_file(project)
    chosen: dict[str, object] = {}
    for name in SETTABLE:
        variable = f"FLYBALL_{name.upper()}"
        flag = (flags or {}).get(name)
        if flag is not None:
            chosen[name] = _absolute(name, _read(name, flag, "the command line"), start)
        elif environment.get(variable):
            value = _read(name, environment[variable], f"the environment variable {variable}")
            chosen[name] = _absolute(name, value, start)
        elif name in in_file:
            chosen[name] = _absolute(name, _read(name, in_file[name], source), project)
    workspace = chosen["workspace"] = Path(str(chosen.get("workspace", project / ".flyball")))
    chosen.setdefault("name", project.name)
    chosen.setdefault("database", f"sqlite:///{workspace / 'flyball.db'}")
    chosen.setdefault("objects", str(workspace / "objects"))
    chosen.setdefault("online", f"sqlite:///{workspace / 'online.db'}")
    return Settings(root=project, **chosen)  # type: ignore[arg-type]  # each value was read by its field's type


def _read(name: str, value: object, source: str) -> object:
    if name in _NUMBERS:
        least, most = _NUMBERS[name]
        if isinstance(value, bool) or not str(value).isdecimal() or not least <= int(str(value)) <= most:
            raise InvalidInput(f"{source} sets {name} to {value!r}.", hint=f"Give a number from {least} to {most}.")
        return int(str(value))
    if not isinstance(value, str | Path):
        raise InvalidInput(f"{source} sets {name} to {value!r}.", hint="Give a text.")
    text = str(value)
    if name in _CHOICES and text not in get_args(_CHOICES[name]):
        known = ", ".join(repr(value) for value in get_args(_CHOICES[name]))
        raise InvalidInput(f"{source} sets {name} to '{text}'.", hint=f"Use one of {known}.")
    if name == "project":
        return check_project(text, source)
    if name in ("url", "behind_proxy", "oidc_issuer") and not text.startswith(("http://", "https://")):
        raise InvalidInput(f"{source} sets {name} to '{text}'.", hint="Write it as http://host:port.")
    return text


def _absolute(name: str, value: object, folder: Path) -> object:
    # Parts of one workspace are run from different folders; they must mean the same place.
    is_folder = name == "workspace" or (name == "objects" and "://" not in str(value))
    if is_folder or (
        name in ("signing_key", "openlineage", "tls_cert", "tls_key") and value and "://" not in str(value)
    ):
        return str(folder / Path(str(value)).expanduser())
    scheme = str(value).partition(":///")[0]
    if (name == "database" and scheme == "sqlite") or (name == "online" and scheme in ("sqlite", "lmdb")):
        path, question, query = str(value).removeprefix(f"{scheme}:///").partition("?")
        if path and path != ":memory:":
            return f"{scheme}:///{folder / Path(path).expanduser()}{question}{query}"
    return value


def _read_file(project: Path) -> tuple[str, dict[str, object]]:
    path = project / FILE
    if path.is_file():
        source, table = str(path), _load(path)
    else:
        source, table = f"[tool.flyball] of {project / 'pyproject.toml'}", {}
        found = _tool_table(project / "pyproject.toml").get("flyball")
        table = found if isinstance(found, dict) else {}
    unknown = sorted(set(table) - set(SETTABLE))
    if unknown:
        raise InvalidInput(
            f"{source} sets '{unknown[0]}', which is no setting.", hint=did_you_mean(unknown[0], SETTABLE)
        )
    return source, table


def _tool_table(path: Path) -> dict[str, object]:
    table = _load(path).get("tool") if path.is_file() else None
    return table if isinstance(table, dict) else {}


def _load(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not readable as TOML: {error}.") from error


def as_environment(settings: Settings) -> dict[str, str]:
    """The environment variables that give another process the same settings."""
    # A project is looked up anew by who opens it: its own places are no settings that somebody chose.
    given = settings if settings.home is None else replace(settings.home, project=settings.project)
    return {f"FLYBALL_{name.upper()}": str(getattr(given, name)) for name in SETTABLE}


def check_project(name: str, source: str = "") -> str:
    """Gives the name back if a project may have it.

    A name becomes a folder, a schema of a database and a part of an address, where some tell capitals apart and some do not.

    Raises:
        InvalidInput: it holds other than small letters, digits, dot, dash and underscore, or is over 50 long.
    """
    if not _PROJECT.fullmatch(name):
        where = f", as {source} has it," if source else ""
        raise InvalidInput(
            f"{name[:60]!r}{where} cannot be the name of a project.",
            hint="Use 1 to 50 small letters, digits, '.', '-' and '_', beginning with a letter or digit.",
        )
    return name
