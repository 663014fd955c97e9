"""Personal data in a table: which columns hold it, how sure that is, and the table without it.

A column is flagged by its name (in several languages), by what its values look like, and where there is one by the
checksum in them: card numbers by Luhn (ISO/IEC 7812), IBAN by mod 97 (ISO 13616), tax and identity numbers by their own.
Found is what is likely; only people know what a column means, so a class can be declared or cleared for good.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from flyball.data import _pii_words
from flyball.errors import InvalidInput, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

PiiKind = Literal["mail", "phone", "card", "iban", "ip", "id", "name", "birth", "address", "other"]
_LOOKED_AT = 2_000
_LONGEST = 2_000
_SURE = 0.9
_MAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}")
_PHONE = re.compile(
    r"(?:\+|00)[1-9][\d\s().\-/]{6,18}\d|\(0?\d{2,4}\)[\s\-]?\d{3,4}[\s\-]?\d{3,4}|\d{3}[\-.\s]\d{3}[\-.\s]\d{4}"
    r"|0\d{2,4}[\s\-/]\d{3,4}[\s\-]?\d{2,5}"
)
_CARD = re.compile(r"(?:\d[ -]?){12,18}\d")
_IBAN = re.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}")
_IDS = (
    re.compile(r"(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}"),  # United States: social security
    re.compile(
        r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]"
    ),  # United Kingdom: national insurance
    re.compile(r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]"),  # Italy: codice fiscale
)
_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"


@dataclass(frozen=True, slots=True, kw_only=True)
class PiiFlag:
    """A column that holds personal data.

    Attributes:
        kind: What it is about.
        confidence: From 0 to 1; 1 where a person has said so.
        reason: What tells so, in words.
        is_declared: Whether a person has said so.
    """

    column: str
    kind: PiiKind
    confidence: float
    reason: str
    is_declared: bool = False


def find_pii(table: pa.Table, *, declared: Sequence[PiiFlag] = (), cleared: Iterable[str] = ()) -> tuple[PiiFlag, ...]:
    """The columns of a table that hold personal data, in their order.

    Up to 2,000 different values of each column are looked at. Names of columns count for texts and numbers; content for
    texts, and for whole numbers of the length of card numbers.

    Args:
        declared: What people have said; it stands above what is found.
        cleared: Columns of which people have said that they hold none.
    """
    said, free = {flag.column: flag for flag in declared}, set(cleared)
    found = []
    for name in table.column_names:
        flag = said.get(name) or (None if name in free else _look_at(name, table.column(name)))
        if flag is not None:
            found.append(flag)
    return tuple(found)


def masked(table: pa.Table, flags: Iterable[PiiFlag]) -> pa.Table:
    """The table with `<mail>` and the like in place of what is in the flagged columns; missing stays missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for flag in flags:
        place = table.schema.get_field_index(flag.column)
        if place >= 0:
            hidden = pc.if_else(
                table.column(place).is_valid(), pa.scalar(f"<{flag.kind}>"), pa.scalar(None, pa.string())
            )
            table = table.set_column(place, flag.column, hidden)
    return table


def mask_value(value: object, kind: str) -> object:
    """What is shown in place of a value; missing stays missing."""
    return None if value is None else f"<{kind}>"


def declared_flags(kinds: Mapping[str, str]) -> tuple[PiiFlag, ...]:
    """What people have said of columns, as flags.

    Raises:
        InvalidInput: there is no such kind.
    """
    return tuple(
        PiiFlag(column=column, kind=check_kind(kind), confidence=1.0, reason="it is declared so", is_declared=True)
        for column, kind in kinds.items()
    )


def check_kind(kind: str) -> PiiKind:
    """Gives the kind back if it is one of personal data.

    Raises:
        InvalidInput: it is none.
    """
    kinds: tuple[PiiKind, ...] = get_args(PiiKind)
    for known in kinds:
        if kind == known:
            return known
    raise InvalidInput(f"There is no class of personal data '{kind}'.", hint=did_you_mean(kind, kinds))


def is_card_number(text: str) -> bool:
    """Whether a text is a card number: 13 to 19 digits whose last one is right by Luhn.

    >>> is_card_number("4111 1111 1111 1111"), is_card_number("4111 1111 1111 1112")
    (True, False)
    """
    digits = re.sub(r"[ -]", "", text)
    if not _CARD.fullmatch(text) or not 13 <= len(digits) <= 19 or digits[0] not in "23456" or len(set(digits)) < 2:
        return False
    doubled = (int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether a text is an IBAN: its check digits are right mod 97.

    >>> is_iban("DE89 3704 0044 0532 0130 00"), is_iban("DE88 3704 0044 0532 0130 00")
    (True, False)
    """
    if not _IBAN.fullmatch(text):
        return False
    plain = text.replace(" ", "")
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def is_identity_number(text: str) -> bool:
    """Whether a text is the number of a person: by the checksum where the country has one, else by its form.

    Known are the United States, the United Kingdom, Italy, Spain, Brazil and Germany.
    """
    if any(pattern.fullmatch(text) for pattern in _IDS):
        return True
    digits = re.sub(r"[.\- ]", "", text)
    if re.fullmatch(r"[XYZ]?\d{7,8}[A-Z]", digits):
        number = int(digits[:-1].translate(str.maketrans("XYZ", "012")))
        return _DNI[number % 23] == digits[-1]
    return bool(re.fullmatch(r"\d{11}", digits)) and (_is_cpf(digits) or _is_tax_number(digits))


def _is_cpf(digits: str) -> bool:
    if len(set(digits)) == 1:
        return False
    for length in (9, 10):
        rest = sum(int(digit) * (length + 1 - place) for place, digit in enumerate(digits[:length])) * 10 % 11 % 10
        if rest != int(digits[length]):
            return False
    return True


def _is_tax_number(digits: str) -> bool:
    # ISO 7064, mod 11,10; one digit comes twice or three times, the others once or not at all.
    if digits[0] == "0" or len(set(digits[:10])) not in (8, 9):
        return False
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def _is_ip(text: str) -> bool:
    if text.count(".") != 3 and text.count(":") < 2:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_phone(text: str) -> bool:
    return bool(_PHONE.fullmatch(text)) and 7 <= sum(letter.isdigit() for letter in text) <= 15


def _is_person(text: str) -> bool:
    words = re.findall(r"[^\W\d_]+", text)
    return 1 <= len(words) <= 4 and any(word.lower() in _pii_words.GIVEN_NAMES for word in words[:2])


# How a value is told, and from which share of the values on the column is flagged. Forms without a checksum fit by
# chance, so nearly all values must have them.
_FORMS: tuple[tuple[PiiKind, Callable[[str], bool], float], ...] = (
    ("mail", lambda text: bool(_MAIL.fullmatch(text)), 0.3),
    ("iban", is_iban, 0.3),
    ("card", is_card_number, 0.8),
    ("ip", _is_ip, 0.8),
    ("id", is_identity_number, 0.8),
    ("phone", _is_phone, 0.8),
)
_LEAST_VALUES = 3


def _look_at(name: str, column: pa.ChunkedArray) -> PiiFlag | None:
    import pyarrow.types as t

    by_name = _pii_words.kind_by_name(name)
    is_time = t.is_timestamp(column.type) or t.is_date(column.type)
    if is_time:
        return _named(name, by_name) if by_name == "birth" else None
    if not (t.is_string(column.type) or t.is_integer(column.type)):
        return None
    values = _values(column)
    by_content = _by_content(name, values, is_text=t.is_string(column.type))
    if by_content is not None:
        return by_content
    if not by_name or by_name == "birth" or not values:
        return _named(name, by_name) if by_name and values else None
    return _named(name, by_name) if _may_be(by_name, values) else None


def _values(column: pa.ChunkedArray) -> list[str]:
    # From all over the column: its beginning may be of one kind.
    step = max(1, len(column) // (_LOOKED_AT * 5))
    seen = dict.fromkeys(column.to_pylist() if step == 1 else _every(column, step))
    return [str(value)[:_LONGEST].strip() for value in seen if value is not None and str(value).strip()][:_LOOKED_AT]


def _every(column: pa.ChunkedArray, step: int) -> list[Any]:
    import numpy as np
    import pyarrow as pa

    taken: list[Any] = column.take(pa.array(np.arange(0, len(column), step))).to_pylist()
    return taken


def _by_content(name: str, values: Sequence[str], *, is_text: bool) -> PiiFlag | None:
    if not values:
        return None
    hinted = _pii_words.kind_by_name(name)
    for kind, fits, least in _FORMS if is_text else _FORMS[2:3]:
        share = sum(map(fits, values)) / len(values)
        # The name and the form together need fewer values than the form alone.
        is_enough = hinted == kind or least < _SURE / 2 or len(values) >= _LEAST_VALUES
        if is_enough and share >= (least / 2 if hinted == kind else least):
            both = " and by its name" if hinted == kind else ""
            confidence = min(0.99, _SURE * share + (0.09 if hinted == kind else 0.0))
            return PiiFlag(
                column=name,
                kind=kind,
                confidence=round(confidence, 2),
                reason=f"{share:.0%} of its values look so{both}",
            )
    if is_text:
        return _names_or_mails(name, values)
    return None


def _names_or_mails(name: str, values: Sequence[str]) -> PiiFlag | None:
    people = sum(map(_is_person, values)) / len(values)
    if _pii_words.is_weak_name(name) and people >= 0.5 and len(values) >= _LEAST_VALUES:
        return PiiFlag(
            column=name, kind="name", confidence=round(0.5 + 0.4 * people, 2),
            reason=f"{people:.0%} of its values hold a given name",
        )  # fmt: skip
    inside = sum(bool(_MAIL.search(value)) for value in values)
    if inside >= _LEAST_VALUES and inside / len(values) >= 0.01:
        return PiiFlag(
            column=name,
            kind="mail",
            confidence=0.6,
            reason=f"mail addresses stand in {inside:,} of its {len(values):,} texts",
        )
    return None


def _may_be(kind: str, values: Sequence[str]) -> bool:
    """Whether the values do not speak against what the name says: a phone that is 0 or 1 is a mark."""
    digits = sum(sum(letter.isdigit() for letter in value) >= 6 for value in values) / len(values)
    if kind in ("phone", "card", "iban", "id"):
        return digits >= 0.5
    if kind in ("mail", "ip"):
        return False  # their form is certain: values that do not have it are something else
    return sum(any(letter.isalpha() for letter in value) for value in values) / len(values) >= 0.5


def _named(name: str, kind: str) -> PiiFlag:
    return PiiFlag(column=name, kind=check_kind(kind), confidence=0.7, reason="its name says so")
