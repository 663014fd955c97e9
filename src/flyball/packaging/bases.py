"""Bases of images: Python and the libraries beneath it.

One is made from this machine's own Python and the shared libraries that it opens, and holds nothing else: no shell, no
package manager. Any other is pulled from a registry.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from flyball.errors import InvalidInput
from flyball.packaging.layers import Entry

USER = 65532
"""Number of the user that images run as, as distroless images number theirs."""
PYTHON_HOME = "usr/local"
STATE = "var/lib/flyball"
"""The one folder of an image that is written to."""

_WITHOUT = re.compile(
    r"(test|tests|idlelib|turtledemo|lib2to3|ensurepip|tkinter|site-packages|dist-packages|config-[^/]*|pydoc_data)/"
    r"|(.+/)?(__pycache__|test|tests)/|.*\.(pyc|a)$|turtle\.py$|_tkinter.*|lib-dynload/_(test|ctypes_test|xx).*"
)
_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_NAMED = re.compile(r"^\s*(?:(\S+) => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What an image stands on.

    Attributes:
        python: Version of its Python, such as 3.11.7; empty where it does not say.
        platform: Such as linux/amd64.
        config: What the base's own configuration says, where it was pulled.
    """

    python: str
    platform: str
    config: dict[str, Any] = field(default_factory=dict)


def own_python() -> Iterator[tuple[str, Path]]:
    """This machine's Python: the files of its standard library and its program, by their place in the image."""
    if not sys.platform.startswith("linux"):
        raise InvalidInput(
            "A base can only be made on Linux.",
            hint="Name one with --base, such as docker.io/library/python:3.12-slim.",
        )
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = Path(sysconfig.get_path("stdlib"))
    for parent, folders, names in os.walk(library):
        start = Path(parent).relative_to(library).as_posix()
        above = "" if start == "." else f"{start}/"
        # Not even looked into: what is installed for this Python is a hundred times what it is itself.
        folders[:] = sorted(each for each in folders if not _WITHOUT.match(f"{above}{each}/"))
        for name in sorted(names):
            path = Path(parent) / name
            if not _WITHOUT.match(f"{above}{name}") and path.is_file():
                yield f"{PYTHON_HOME}/lib/{version}/{above}{name}", path
    yield f"{PYTHON_HOME}/bin/{version}", Path(sys.executable).resolve()


def libraries(objects: Iterable[Path]) -> dict[str, Path]:
    """The shared libraries that programs and libraries open, by their place in an image; without those given.

    The dynamic linker itself tells; it is asked about files of this machine's own Python only.
    """
    paths = sorted({path.resolve() for path in objects})
    found: dict[str, Path] = {}
    for start in range(0, len(paths), 200):
        asked = subprocess.run(
            ["ldd", *map(str, paths[start : start + 200])], capture_output=True, text=True, check=False, timeout=120
        )
        for name, path in _NAMED.findall(asked.stdout):
            real = Path(path).resolve()
            # Those of wheels lie beside what opens them, and come along with it.
            if real not in paths and "site-packages" not in real.parts and "dist-packages" not in real.parts:
                found[f"{_library_folder()}/{name}" if name else path.lstrip("/")] = real
    return found


@lru_cache(maxsize=1)
def own_libraries() -> dict[str, Path]:
    """The shared libraries of a base that is made here."""
    opened = [path for place, path in own_python() if ".so" in path.name or place.startswith(f"{PYTHON_HOME}/bin/")]
    return {**libraries(opened), **_always()}


def base_entries(python: Sequence[tuple[str, Path]], compiled: Iterable[tuple[str, Path]]) -> Iterator[Entry]:
    """The entries of a base that is made here."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for place, path in python:
        is_program = place == f"{PYTHON_HOME}/bin/{version}"
        yield Entry(path=place, content=path, mode=0o755 if is_program else 0o644)
    for place, path in compiled:
        yield Entry(path=place, content=path)
    for place, path in sorted(own_libraries().items()):
        yield Entry(path=unlinked(place), content=path, mode=0o755)
    for link in ("lib", "lib64", "bin", "sbin"):
        if (Path("/") / link).is_symlink():
            yield Entry(path=link, link=f"usr/{link}")
            yield Entry(path=f"usr/{link}", mode=0o755)
    for name in ("python3", "python"):
        yield Entry(path=f"{PYTHON_HOME}/bin/{name}", link=version)
    yield from state_entries()
    certificates = next((Path(each) for each in _CERTIFICATES if Path(each).is_file()), None)
    if certificates is not None:
        yield Entry(path="etc/ssl/certs/ca-certificates.crt", content=certificates.resolve())
    yield Entry(path="etc/nsswitch.conf", content=b"hosts: files dns\npasswd: files\ngroup: files\n")
    root = b"root:x:0:0:root:/:/sbin/nologin\n"
    own = f"flyball:x:{USER}:{USER}:flyball:/{STATE}:/sbin/nologin\n".encode()
    yield Entry(path="etc/passwd", content=root + own)
    yield Entry(path="etc/group", content=f"root:x:0:\nflyball:x:{USER}:\n".encode())
    yield Entry(path="tmp", mode=0o1777)


def state_entries() -> Iterator[Entry]:
    """The folder that the server writes to."""
    yield Entry(path=STATE, mode=0o755, owner=USER)


def _always() -> dict[str, Path]:
    """What many wheels open beside Python itself."""
    probe = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False, timeout=30).stdout
    found = {}
    for name in ("libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"):
        path = next((line.rpartition("=> ")[2] for line in probe.splitlines() if line.split()[:1] == [name]), "")
        if path and Path(path).exists():
            found[f"{_library_folder()}/{name}"] = Path(path).resolve()
    return found


def _library_folder() -> str:
    # Where this machine's own C library lies, its linker looks, and so will the image's, which is the same.
    triplet = sysconfig.get_config_var("MULTIARCH") or ""
    for folder in (f"usr/lib/{triplet}", f"lib/{triplet}", "usr/lib64", "lib64", "usr/lib"):
        if (Path("/") / folder / "libc.so.6").exists():
            return folder
    return "usr/lib"


def unlinked(place: str) -> str:
    """A place without the links that lead there: `/lib64` is a link to `/usr/lib64` on most machines."""
    first, _, rest = place.partition("/")
    return f"usr/{first}/{rest}" if (Path("/") / first).is_symlink() else place
