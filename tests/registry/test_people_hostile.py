"""Whatever text one gives: it is kept as it is or refused in our words."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flyball.clock import FixedClock
from flyball.errors import FlyballError
from flyball.models.package import ModelPackage
from flyball.registry.approvals import Approvals
from flyball.registry.card import ModelCards
from flyball.registry.comments import Comments
from flyball.registry.lifecycle import Lifecycle
from flyball.registry.sbom import Sboms
from flyball.registry.signing import Signatures
from flyball.registry.versions import Registry
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs

HOSTILE = [
    "\0",
    "\ud800",
    "'; DROP TABLE comments; --",
    "../../etc",
    "models:/churn/1",
    "churn/1",
    "%",
    "a" * 10_000,
    "x@y@z",
    "é/1",
]
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30))
Verbs = dict[str, Callable[[str], Any]]


@pytest.fixture
def verbs(
    registry: Registry, package: ModelPackage, database: Database, blobs: Blobs, events: EventLog, clock: FixedClock
) -> Verbs:
    registry.register("churn", package)
    room = (database, blobs, events, clock)
    approvals, cards, comments = Approvals(*room), ModelCards(*room), Comments(*room)
    lifecycle, sboms, signatures = Lifecycle(*room), Sboms(*room), Signatures(*room)
    approvals.request("churn/1", "Ada")
    far = datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))
    return {
        "request": lambda text: approvals.request(text, text, approvers=(text,), note=text),
        "request note": lambda text: approvals.request("churn/1", "Ada", note=text),
        "approve": lambda text: approvals.approve("churn/1", text, text),
        "reject": lambda text: approvals.reject(text, text, text),
        "withdraw": lambda text: approvals.withdraw("churn/1", text),
        "list approvals": lambda text: approvals.list(text, before=text),
        "comment": lambda text: comments.add("models:/churn/1", text, text),
        "comment on": lambda text: comments.add(text, "hello", "Ada", reply_to=text),
        "edit": lambda text: comments.edit(text, text, "Ada"),
        "comments": lambda text: comments.list(text, after=text),
        "section": lambda text: cards.write_section("churn", text, text, "Ada"),
        "delete section": lambda text: cards.delete_section("churn", text, "Ada"),
        "sections": lambda text: cards.list_sections(text),
        "card": lambda text: cards.card(text),
        "deprecate": lambda text: lifecycle.deprecate("churn/1", text, by=text, instead=text, until=far),
        "undeprecate": lambda text: lifecycle.undeprecate(text, reason=text),
        "standing": lambda text: lifecycle.get(text),
        "deprecated": lambda text: lifecycle.list_deprecated(text),
        "restore": lambda text: lifecycle.restore(text, reason=text),
        "rollback": lambda text: lifecycle.rollback(text, text),
        "former": lambda text: lifecycle.former_champion(text),
        "signatures": lambda text: signatures.list(text),
        "sign": lambda text: signatures.record("churn/1", text, text, text, text),
        "sbom": lambda text: sboms.make(text),
    }


@given(text=TEXTS)
@example(text="")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_breaks_a_verb(verbs: Verbs, text: str) -> None:
    for verb in verbs.values():
        with contextlib.suppress(FlyballError):
            verb(text)
    assert verbs["card"]("churn/1").startswith("# churn, version 1\n")
