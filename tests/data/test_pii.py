from __future__ import annotations

import pyarrow as pa
import pytest

from flyball.data.pii import PiiFlag, find_pii, is_card_number, is_iban, is_identity_number, masked
from flyball.data.profile_table import profile_table
from flyball.serialization import to_json

PERSONAL: dict[str, tuple[list[object], str]] = {
    "contact": (["anna@example.org", "b.lee@example.com", None], "mail"),
    "courriel": (["anna@example.org", "", "?"], "mail"),
    "account": (["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"], "iban"),
    "paid_with": (["4111 1111 1111 1111", "5500-0000-0000-0004", "340000000000009"], "card"),
    "pan": ([4111111111111111, 5500000000000004, 340000000000009], "card"),
    "source": (["192.168.0.1", "10.0.0.7", "2001:db8::1"], "ip"),
    "reference": (["123-45-6789", "234-56-7890", "345-67-8901"], "id"),
    "dni": (["12345678Z", "00000000T"], "id"),
    "Telefonnummer": (["+49 30 901820", "030 901821", "+49 171 1234567"], "phone"),
    "call": (["+1 212 555 0100", "(212) 555-0101", "212-555-0102"], "phone"),
    "prénom": (["Zoé", "Ulf"], "name"),
    "name": (["Anna Schmidt", "John Doe", "Maria Rossi"], "name"),
    "kunde_nachname": (["Schmidt", "Rossi"], "name"),
    "Geburtsdatum": (["1980-01-02", "1990-03-04"], "birth"),
    "shipping_address": (["1 Main Street", "Hauptstr. 5"], "address"),
    "remarks": (["write to a@b.org", "or c@d.org", "not x@y.com"], "mail"),
}


@pytest.mark.parametrize("column", PERSONAL)
def test_personal_data_is_found(column: str) -> None:
    values, kind = PERSONAL[column]
    (flag,) = find_pii(pa.table({column: values}))
    assert (flag.column, flag.kind) == (column, kind)
    assert 0.5 < flag.confidence <= 1


# What flights and weather look like, and what resembles personal data without being any.
HARMLESS: dict[str, list[object]] = {
    "flight": ["UA1545", "DL461", "B6725"],
    "tailnum": ["N14228", "N24211", "N619AA"],
    "name": ["United Air Lines Inc.", "JetBlue Airways", "Endeavor Air Inc."],
    "carrier": ["UA", "DL", "B6"],
    "dest": ["IAH", "MIA", "BQN"],
    "time_hour": ["2013-01-01T05:00:00", "2013-01-01T06:00:00", "2013-01-02T05:00:00"],
    "day": ["2013-01-01", "2013-01-02", "2013-01-03"],
    "version": ["1.2.3", "1.10.0", "2.0.1"],
    "key": ["2013-01-01-UA-1545", "2013-01-01-DL-461", "2013-01-02-UA-11"],
    "amount": ["1234.50", "99.95", "1,234.00"],
    "isbn": ["978-3-16-148410-0", "978-0-306-40615-7", "978-1-86197-271-2"],
    "seconds": [1357034400, 1357038000, 1357041600],
    "mobile": [0, 1, 1],
    "email": [True, False, True],
    "tzone": ["America/New_York", "America/Chicago", "America/Denver"],
    "zeros": ["0000000000000000"] * 3,
    "mail_orders": [3, 5, 8],
    "ip": [0.1, 0.2, 0.3],
    "numbers": list(range(4000000000000000, 4000000000000300)),
}


@pytest.mark.parametrize("column", HARMLESS)
def test_nothing_is_found_where_there_is_nothing(column: str) -> None:
    assert find_pii(pa.table({column: HARMLESS[column]})) == ()


def test_checksums_decide() -> None:
    assert is_card_number("4111111111111111")
    assert not is_card_number("4111111111111112")
    assert is_iban("FR14 2004 1010 0505 0001 3M02 606")
    assert not is_iban("FR15 2004 1010 0505 0001 3M02 606")
    assert is_identity_number("111.444.777-35")
    assert not is_identity_number("111.444.777-36")
    assert is_identity_number("86095742719")


def test_what_people_say_stands_above_what_is_found() -> None:
    table = pa.table({"mail": ["a@b.org"], "seat": ["12A"]})
    declared = [PiiFlag(column="seat", kind="other", confidence=1, reason="said", is_declared=True)]
    assert [flag.column for flag in find_pii(table, declared=declared, cleared=["mail"])] == ["seat"]


def test_masks_hide_values_and_keep_what_is_missing() -> None:
    table = pa.table({"mail": ["a@b.org", None], "n": [1, 2]})
    flags = find_pii(table)
    assert masked(table, flags).to_pylist() == [{"mail": "<mail>", "n": 1}, {"mail": None, "n": 2}]


def test_a_profile_holds_no_personal_value() -> None:
    table = pa.table({"mail": ["anna@example.org"] * 9, "card": [4111111111111111] * 9, "n": range(9)})
    found = profile_table(table, declared=[PiiFlag(column="card", kind="card", confidence=1, reason="said")])
    assert b"anna" not in to_json(found)
    assert b"4111" not in to_json(found)
    assert found.column("mail").examples == ("<mail>",)
