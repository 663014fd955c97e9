"""The machine: folders, disks, libraries, keys and certificates."""

from __future__ import annotations

import importlib.util
import os
import shutil
import ssl
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from flyball.doctor.finding import Finding, ok, problem, warning
from flyball.settings import Settings

_MEMORY = ("tmpfs", "ramfs")
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "afs", "glusterfs")
_LEFT_OVER = 86_400.0
_EXTRAS = {
    "postgres": ("psycopg", "database", ("postgresql",)),
    "s3": ("obstore", "objects", ("s3://",)),
    "online": ("lmdb", "online", ("lmdb:",)),
    "redis": ("redis", "online", ("redis:", "rediss:")),
    "telemetry": ("opentelemetry.sdk", "otlp", ("http",)),
    "login": ("argon2", "auth", ("on",)),
    "signing": ("model_signing", "signing_key", ("/", ".")),
}


def look_at_machine(settings: Settings, *, fix: bool = False) -> Iterator[Finding]:
    """Looks at all that is no database and no store."""
    yield from _extras(settings)
    yield from _folder(settings.workspace, fix)
    if settings.workspace.is_dir():
        yield from _disk(settings)
        yield from _file_system(settings.workspace)
        yield from _left_over(settings.workspace, fix)
    yield from _keys(settings, fix)
    yield from _certificate(settings)


def _extras(settings: Settings) -> Iterator[Finding]:
    missing = []
    for extra, (module, setting, beginnings) in _EXTRAS.items():
        value = str(getattr(settings, setting))
        wanted = value.startswith(beginnings) and not (setting == "signing_key" and not value)
        if wanted and not _is_installed(module):
            missing.append((extra, setting))
    for extra, setting in missing:
        yield problem(
            "libraries", f"What the setting `{setting}` asks for is not installed.", f"pip install 'flyball[{extra}]'"
        )
    if not missing:
        yield ok("libraries", "All that the settings ask for is installed.")


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def _folder(folder: Path, fix: bool) -> Iterator[Finding]:
    if not folder.is_dir():
        yield warning(
            "folder",
            f"There is no workspace at {folder} yet.",
            "It is made at the first use; or choose --workspace DIR.",
        )
        return
    mode = folder.stat().st_mode
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield problem("folder", f"{folder} cannot be written to by this account.", "Give it to this account: chown -R.")
    elif mode & stat.S_IRWXO and fix:
        folder.chmod(stat.S_IMODE(mode) & ~stat.S_IRWXO)
        yield Finding(check="folder", state="ok", said=f"{folder} is closed to other accounts now.", is_fixed=True)
    elif mode & stat.S_IWOTH:
        yield problem("folder", f"Every account of this machine may write to {folder}.", f"chmod o-rwx {folder}")
    elif mode & stat.S_IXOTH:
        mend = f"chmod o-rwx {folder}, or flyball doctor --fix"
        yield warning("folder", f"Every account of this machine may read what is in {folder}.", mend)
    else:
        yield ok("folder", f"{folder} can be written to, and is closed to others.")


def _disk(settings: Settings) -> Iterator[Finding]:
    usage, least = shutil.disk_usage(settings.workspace), settings.disk_reserve_mib << 20
    said = f"{usage.free >> 20:,} MiB of {usage.total >> 20:,} are free; {settings.disk_reserve_mib} of them stay free."
    mend = "Free some: `flyball runs gc`, `flyball backup prune --keep 7`; or move the workspace to a larger disk."
    if usage.free < least:
        yield problem("disk", f"{said} Nothing is written.", mend)
    elif usage.free < 4 * least or usage.free < usage.total // 50:
        yield warning("disk", said, mend)
    else:
        yield ok("disk", said)


def _file_system(folder: Path) -> Iterator[Finding]:
    kind = _kind_of(folder)
    if "eatmydata" in os.environ.get("LD_PRELOAD", ""):
        yield problem(
            "durability", "libeatmydata is loaded: nothing waits for the disk.", "Start without it (LD_PRELOAD)."
        )
    elif kind in _MEMORY:
        yield warning("durability", f"{folder} is on {kind}: all is gone when the machine stops.", "Move it to a disk.")
    elif kind in _NETWORK:
        yield problem(
            "durability", f"{folder} is on {kind}: SQLite's locks and shared memory do not hold over a network.",
            "Move it to a disk of this machine, or use PostgreSQL and a bucket.",
        )  # fmt: skip
    else:
        took = _sync_seconds(folder)
        if took < 20e-6:
            yield warning(
                "durability", f"To bring a file to the disk takes {took * 1e6:.0f} us: the disk or its driver may only pretend to.",
                "Look whether writes are cached without a battery, or barriers are off (nobarrier).",
            )  # fmt: skip
        else:
            yield ok("durability", f"{kind or 'The file system'} brings a file to the disk in {took * 1e3:.2f} ms.")


def _kind_of(folder: Path) -> str:
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    here, best, kind = folder.resolve(), Path(), ""
    for line in mounts:
        _, place, found, *_ = line.split(" ")
        mount = Path(place.replace("\\040", " "))
        if here.is_relative_to(mount) and len(mount.parts) >= len(best.parts):
            best, kind = mount, found
    return kind


def _sync_seconds(folder: Path) -> float:
    """How long the quickest of some syncs took."""
    path = folder / f".doctor-{os.getpid()}"
    took = []
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            for number in range(5):
                os.write(descriptor, b"%04096d" % number)
                began = time.perf_counter()
                os.fsync(descriptor)
                took.append(time.perf_counter() - began)
        finally:
            os.close(descriptor)
            path.unlink()
    except OSError:
        return 1.0
    return min(took)


def _left_over(folder: Path, fix: bool) -> Iterator[Finding]:
    """Files of uploads, copies and restores that were broken off."""
    before = time.time() - _LEFT_OVER
    patterns = ("incoming/*", "objects/.fresh/*", ".backup-*", "*.restoring")
    found = [path for pattern in patterns for path in folder.glob(pattern) if path.lstat().st_mtime < before]
    if not found:
        return
    if fix:
        for path in found:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        yield Finding(
            check="leftovers", state="ok", said=f"{len(found)} files of broken-off work were removed.", is_fixed=True
        )
        return
    yield warning("leftovers", f"{len(found)} files of broken-off work are older than a day.", "flyball doctor --fix")


def _keys(settings: Settings, fix: bool) -> Iterator[Finding]:
    named = {"the signing key": Path(settings.signing_key) if settings.signing_key else None,
             "the key of the certificate": Path(settings.tls_key) if settings.tls_key else None,
             "the token of this machine": settings.workspace / "token"}  # fmt: skip
    for what, path in named.items():
        if path is None or (what.startswith("the token") and not path.exists()):
            continue
        if not path.is_file():
            yield problem("keys", f"There is no file {path} for {what}.", "Put it back, or change the setting.")
        elif path.stat().st_mode & 0o077 and fix:
            path.chmod(0o600)
            yield Finding(check="keys", state="ok", said=f"{path} can be read by its owner alone now.", is_fixed=True)
        elif path.stat().st_mode & 0o077:
            yield problem("keys", f"Others may read {path}, {what}.", f"chmod 600 {path}, or flyball doctor --fix")
        else:
            yield ok("keys", f"{path} is read by its owner alone.")


def _certificate(settings: Settings) -> Iterator[Finding]:
    if not settings.tls_cert:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.tls_cert, settings.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        yield problem("tls", f"The certificate and its key cannot be used: {error}.", "See tls_cert and tls_key.")
        return
    ends = _ends(Path(settings.tls_cert))
    if ends is None:
        yield ok("tls", "The certificate fits its key.")
        return
    days = (ends - datetime.now(UTC)).days
    if days < 0:
        yield problem("tls", f"The certificate ended {-days} days ago.", "Renew it, then start the server again.")
    elif days < 30:
        yield warning("tls", f"The certificate ends in {days} days.", "Renew it, then start the server again.")
    else:
        yield ok("tls", f"The certificate fits its key and is good for {days} days.")


def _ends(path: Path) -> datetime | None:
    try:
        from cryptography import x509

        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (ImportError, ValueError, OSError):
        return None
