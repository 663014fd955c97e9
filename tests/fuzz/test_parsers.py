"""Whatever bytes come, a parser gives an answer or one of our own errors, and soon.

Guided by coverage they are tried by `python tests/fuzz/scripts/guided.py`, in an environment with atheris.
"""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import PARSERS, run

SEEDS = [
    b"metrics.auc > 0.5 AND params.`a b` LIKE '%x'",
    b"1d12h",
    b"2013-03-01T12:00:00Z",
    b"models:/churn@champion",
    b"- column: x\n  check: not_null\n",
    b'{"deployment":"shop","generation":1,"arms":[]}',
    b'{"inputs":[{"x":1}]}',
    b"x,y\n1,2\n",
    b"\n\x03abc\x12\x04\x08\x01\x10\x02",
    b'{"resourceSpans":[{"scopeSpans":[{"spans":[]}]}]}',
    b'{"eventType":"START","run":{"runId":"x"},"job":{"namespace":"a","name":"b"}}',
    b'{"images":[],"annotations":[],"categories":[]}',
    b"\x1f\x8b\x08\x00",
    b"[" * 200,
    b"{" * 50,
    b'"\\ud800"',
    b"\xff\xfe\x00",
    b"NaN",
    b"1e999",
    b"!!python/object/apply:os.system ['x']",
]


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """Bytes as they might come: odd ones, or right ones with something wrong."""
    data = draw(st.sampled_from(SEEDS) | st.binary(max_size=60))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data)))
        put = draw(
            st.binary(max_size=4)
            | st.sampled_from(
                [b"'", b'"', b"\\", b"(", b"[", b"{", b"\0", b"\x80\x80\x80\x80\x80", b"999999999999999999999"]
            )
        )
        data = data[:place] + put + data[place + draw(st.integers(0, 3)) :]
    return data * draw(st.sampled_from([1, 1, 1, 2, 30]))


def tried(name: str, examples: int) -> None:
    @given(data=broken())
    @settings(max_examples=examples, suppress_health_check=list(HealthCheck), deadline=None)
    def read(data: bytes) -> None:
        began = time.monotonic()
        run(name, data)
        assert time.monotonic() - began < 10

    read()


@pytest.mark.parametrize("name", PARSERS)
def test_no_bytes_break_a_parser(name: str) -> None:
    tried(name, 40)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", PARSERS)
def test_no_bytes_break_a_parser_for_long(name: str, rounds: int) -> None:
    tried(name, 100 * rounds)


def test_names_of_columns_that_are_no_text_are_refused() -> None:
    """Found by coverage: the name was only decoded after all else had been read."""
    for data in (b"\x8a", b"\x8a\n1\n", b"x,\xff\n1,2\n"):
        run("invocation in CSV", data)
