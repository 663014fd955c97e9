"""Names that point at things: `models:/churn@champion`, `snapshots:/orders/3f2a`, and new ids.

A room keeps a reference to another room's thing as a `Ref` (or its text), never as the object.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass

from flyball.errors import InvalidInput, did_you_mean

KINDS = (
    "artifacts", "budgets", "code", "datasets", "deployments", "errands", "evaluations", "external", "features", "jobs", "labels",
    "loops", "models", "pipelines", "predictions", "rollouts", "runs", "searches", "snapshots", "windows",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PART = r"[^/@\s\x00-\x1f\x7f]{1,200}"
_TEXT = re.compile(rf"(?P<kind>[a-z]+):/(?P<name>{_PART})(?:/(?P<version>{_PART})|@(?P<alias>{_PART}))?")
# Models are named by people, as MLflow lets them: nearly any text. The last @ begins the alias.
_MODEL = r"[^/:\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,256}"
_TEXT_OF_MODEL = re.compile(
    rf"(?P<kind>models):/(?P<name>{_MODEL}?)(?:/(?P<version>{_PART})|@(?P<alias>[^/@\s\x00-\x1f\x7f]{{1,255}}))?"
)
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """A reference to one thing of one kind, by version or by alias.

    >>> Ref.parse("models:/churn@champion")
    Ref(kind='models', name='churn', version='', alias='champion')
    >>> str(Ref(kind="snapshots", name="orders", version="3f2a"))
    'snapshots:/orders/3f2a'
    """

    kind: str
    name: str
    version: str = ""
    alias: str = ""

    @classmethod
    def parse(cls, text: str, *, kind: str | None = None) -> Ref:
        """Reads a reference; with `kind`, a bare name is one of that kind and any other kind is refused.

        Raises:
            InvalidInput: the text is no reference, or one of another kind.
        """
        if kind and ":/" not in text:
            text = f"{kind}:/{text}"
        match = (_TEXT_OF_MODEL if text.startswith("models:/") else _TEXT).fullmatch(text)
        if match is not None and match["kind"] == "models" and not _is_model(match):
            match = None
        if match is None:
            raise InvalidInput(
                f"'{text[:300]}' is not a reference.", hint="Write it as models:/name/3 or models:/name@champion."
            )
        found = cls(kind=match["kind"], name=match["name"], version=match["version"] or "", alias=match["alias"] or "")
        if found.kind not in KINDS:
            raise InvalidInput(f"There is no kind '{found.kind}'.", hint=did_you_mean(found.kind, KINDS))
        if kind and found.kind != kind:
            raise InvalidInput(f"'{text}' does not point at {kind}.", hint=f"Write it as {kind}:/name.")
        return found

    def __str__(self) -> str:
        tail = f"/{self.version}" if self.version else f"@{self.alias}" if self.alias else ""
        return f"{self.kind}:/{self.name}{tail}"


def check_name(name: str, what: str) -> str:
    """Gives the name back if it may name a thing.

    Raises:
        InvalidInput: it holds other than letters, digits, dot, dash and underscore, or is over 128 long.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{str(name)[:60]!r} cannot be the name of a {what}.",
            hint="Use 1 to 128 letters, digits, '.', '-' and '_', beginning with a letter or digit.",
        )
    return name


def check_model_name(name: str) -> str:
    """Gives the name back if it may name a model.

    Raises:
        InvalidInput: it is blank, over 256 long, begins with '..', or holds '/', ':' or what cannot be printed.
    """
    usable = isinstance(name, str) and re.fullmatch(_MODEL, name) and name.strip() and name.isprintable()
    if not usable or _is_a_path(name):
        raise InvalidInput(
            f"{str(name)[:60]!r} cannot be the name of a model.",
            hint="Use 1 to 256 characters other than '/' and ':', such as 'late flights'.",
        )
    return name


def check_alias(alias: str) -> str:
    """Gives the alias back if it may be one.

    Raises:
        InvalidInput: it holds other than letters, digits, dot, dash and underscore, or is over 255 long.
    """
    if not isinstance(alias, str) or not re.fullmatch(r"[\w.-]{1,255}", alias):
        raise InvalidInput(
            f"{str(alias)[:60]!r} cannot be the name of an alias.",
            hint="Use 1 to 255 letters, digits, '.', '-' and '_'.",
        )
    return alias


def _is_model(match: re.Match[str]) -> bool:
    name = match["name"]
    whole = match["version"] or match["alias"] or "@" not in name
    return bool(whole) and bool(name.strip()) and not _is_a_path(name)


def _is_a_path(name: str) -> bool:
    # Clients join names to paths.
    return name == "." or name.startswith("..")


def new_id() -> str:
    """A new id of 22 characters, unique, and sorted by the time of its making.

    48 bits of milliseconds, then 60 random bits, in Crockford's base 32.
    """
    return _base32(time.time_ns() // 1_000_000, 10) + _base32(int.from_bytes(os.urandom(8)) >> 4, 12)


def _base32(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
