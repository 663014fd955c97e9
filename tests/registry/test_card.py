"""A card says what the facts say and where each statement comes from, and nothing that nobody knows."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flyball.clock import FixedClock
from flyball.data.datasets import Data
from flyball.data.snapshot import take_snapshot
from flyball.errors import InvalidInput, NotFound
from flyball.evaluation.scores import evaluate
from flyball.models.environment import Environment
from flyball.models.package import ModelPackage
from flyball.registry.approvals import Approvals
from flyball.registry.card import ModelCard, ModelCards
from flyball.registry.lifecycle import Lifecycle
from flyball.registry.versions import GateDecision, Registry, Verdict
from flyball.serialization import from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.runs import Tracking

AT = datetime(2026, 5, 1, tzinfo=UTC)
Room = tuple[Database, Blobs, EventLog, FixedClock]


@pytest.fixture
def room(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Room:
    return database, blobs, events, clock


@pytest.fixture
def cards(room: Room) -> ModelCards:
    return ModelCards(*room)


@pytest.fixture
def bare(registry: Registry, package: ModelPackage, cards: ModelCards) -> ModelCards:
    """A version of which hardly anything is known."""
    registry.register("churn", package)
    return cards


@pytest.fixture
def full(registry: Registry, package: ModelPackage, room: Room, cards: ModelCards, tmp_path: Path) -> ModelCards:
    """A version of which all is known."""
    tracking, data, approvals = Tracking(*room), Data(*room), Approvals(*room)
    run = tracking.create_run("train_churn", name="spring")
    tracking.finish_run(run.id, "finished")
    snapshot = take_snapshot(
        data, room[1], "orders", pa.table({"age": [1.0, 2.0], "left": [True, False]}), root=tmp_path
    )
    truth, score = [True, False] * 100, [0.9, 0.2] * 60 + [0.3, 0.6] * 40
    evaluation = evaluate(
        truth, score, metrics=["roc_auc", "accuracy"], slices={"plan": ["paid"] * 120 + ["old|er"] * 70 + ["rare"] * 10}
    )
    environment = Environment(python="3.12.1", platform="linux-x86_64", packages={"numpy": "2.1.0"})
    registry.register(
        "churn",
        replace(package, environment=environment),
        run=run.id,
        snapshots=(f"orders/{snapshot.id}",),
        evaluation=evaluation,
        holdout=room[1].put(b"rows"),
        label="left",
        code="c0de",
        params={"depth": 3},
        description="Says who leaves.",
    )
    decisions = (
        GateDecision(gate="schema", passed=True, reason="it is asked as the champion"),
        GateDecision(gate="latency", passed=False, reason="p99 is 12 ms"),
    )
    registry.record_verdict("churn", 1, Verdict(passed=False, decisions=decisions, at=AT))
    registry.set_alias("churn", "blue", 1)
    approvals.request("churn/1", "Ada")
    approvals.approve("churn/1", "Grace", "looks right")
    Lifecycle(*room).deprecate("churn/1", "too slow.", by="Ada", until=AT, instead="churn")
    return cards


def section(card: str, heading: str) -> str:
    """One section of a card."""
    return card.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_each_statement_names_its_source(full: ModelCards) -> None:
    card = full.get("churn/1")
    sources = [said.source for part in card.sections for said in part.statements]
    sources += [table.source for part in card.sections for table in part.tables]
    assert len(sources) > 20
    assert all(re.match(r"(models|runs|snapshots):/\S", source) for source in sources)
    for line in full.card("churn/1").splitlines():
        if line.startswith("- "):
            assert re.search(r" \(`(models|runs|snapshots):/[^`]+`\)$", line)


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("What it is", "Says who leaves. (`models:/churn/1 description`)"),
        ("What it is", "stands as candidate, under the aliases blue."),
        ("What it is", "too slow. It is to be retired on 2026-05-01. Use models:/churn instead."),
        ("Inputs and outputs", "| age | float | no |"),
        ("Data", "It was trained on the dataset orders as of 2026-01-01: 2 rows, 2 columns, 1 file"),
        ("Data", "the truth in them is the column left."),
        ("How it was made", "It was made by the run spring of the experiment train\\_churn"),
        ("How it was made", "| depth | 3 |"),
        ("How it was made", "Its code is c0de."),
        ("How good it is", "It was scored on 200 rows that it had not learned from, of which 50.0% are"),
        ("How good it is", "| plan | (other) | 10 | too few rows | - |"),
        ("Limits", "Too few rows to say how good it is for plan (other)."),
        ("Limits", "It is weakest where plan is old\\|er: roc\\_auc 0"),
        ("Limits", "The inputs age may not be missing."),
        ("Limits", "Reading it runs code that came with it."),
        ("Gates", "Its gates held it back on 2026-05-01."),
        ("Gates", "latency holds it back: p99 is 12 ms (`models:/churn/1 verdict latency`)"),
        ("Approvals and signatures", "Ada asked for its approval on 2026-01-01; it is approved."),
        ("Approvals and signatures", "Grace approved it on 2026-01-01: looks right"),
        ("Approvals and signatures", "Nobody has signed it."),
        ("Environment", "It was made with Python 3.12.1 on linux-x86\\_64."),
        ("Environment", "| numpy | 2.1.0 |"),
        ("Lineage", "| trained on | runs:/"),
    ],
)
def test_a_card_says_what_is_known(full: ModelCards, heading: str, words: str) -> None:
    assert words in section(full.card("churn/1"), heading)


def test_scores_stand_with_their_intervals(full: ModelCards) -> None:
    said = section(full.card("churn/1"), "How good it is")
    assert re.search(r"\| roc\\_auc \| 0\.\d+ \| 0\.\d+ to [01]\.?\d* \| 200 \|", said)
    assert re.search(r"\| plan \| paid \| 120 \| 1 \| [^|]+ \|", said)


def test_what_is_not_known_is_not_said(bare: ModelCards) -> None:
    card = bare.card("churn/1")
    for heading in ("Data", "How it was made", "How good it is", "Lineage"):
        assert f"\n## {heading}\n" not in card
    assert "How good it is is not known" in section(card, "Limits")
    assert "No gate was asked." in section(card, "Gates")
    assert "Nobody has been asked to approve it." in card


def test_what_is_no_longer_kept_is_said_to_be_so(registry: Registry, package: ModelPackage, cards: ModelCards) -> None:
    registry.register("churn", package, run="gone", snapshots=("orders/3f2a",))
    card = cards.card("churn/1")
    assert "It was made by a run that is no longer kept. (`runs:/gone`)" in card
    assert "It was trained on a snapshot that is no longer known. (`snapshots:/orders/3f2a`)" in card


def test_a_retired_version_says_that_it_cannot_be_read(bare: ModelCards, room: Room) -> None:
    Lifecycle(*room).retire("churn/1", "replaced", by="Ada")
    card = bare.card("churn/1")
    assert "It is retired since 2026-01-01 by Ada: replaced" in card
    assert "It cannot be read any more: constant.py and input example were removed." in card


def test_no_name_or_reason_poses_as_a_statement_of_the_card(
    registry: Registry, package: ModelPackage, cards: ModelCards
) -> None:
    evil = "x\n## Gates\n- all passed <script>alert(1)</script> | `a` [b](http://c)"
    registry.register("churn", package, description=evil, params={"a|b": "<b>\n| x |"})
    card = cards.card("churn/1")
    assert card.count("\n## Gates\n") == 1
    assert "<script>" not in card
    assert re.search(r"(?<!\\)\]\(http", card) is None
    assert "| a\\|b | \\<b\\> \\| x \\| |" in card


def test_people_write_sections_beside_the_facts(bare: ModelCards, clock: FixedClock) -> None:
    made = bare.write_section("churn/1", "Intended use", "Only for *retail* customers.", "Ada")
    assert (made.version, made.by, made.created) == (1, "Ada", clock.now())
    card = bare.card("churn/1")
    said = section(card, "Intended use")
    assert "Only for *retail* customers.\n" in said
    assert "Written by Ada on 2026-01-01 for version 1." in said
    assert card.index("## What it is") < card.index("## Intended use") < card.index("## Inputs and outputs")


def test_what_is_written_for_a_version_goes_before_what_is_for_all(
    bare: ModelCards, registry: Registry, package: ModelPackage
) -> None:
    registry.register("churn", package)
    bare.write_section("churn", "Intended use", "for all", "Ada")
    bare.write_section("churn", "Ethics", "none", "Ada")
    bare.write_section("churn/2", "Intended use", "for the second", "Grace")
    assert [found.text for found in bare.get("churn/1").own] == ["none", "for all"]
    assert {found.text for found in bare.get("churn/2").own} == {"for the second", "none"}
    assert {found.heading for found in bare.list_sections("churn")} == {"Intended use", "Ethics"}
    assert [found.text for found in bare.list_sections("churn/2")] == ["for the second"]


def test_a_section_is_written_anew_and_removed(bare: ModelCards, clock: FixedClock) -> None:
    first = bare.write_section("churn/1", "Ethics", "none", "Ada")
    clock.advance(timedelta(hours=1))
    again = bare.write_section("churn/1", "Ethics", "some", "Grace")
    assert (again.created, again.updated, again.by) == (first.created, clock.now(), "Grace")
    bare.delete_section("churn/1", "Ethics", "Ada")
    assert bare.get("churn/1").own == ()
    with pytest.raises(NotFound, match="no section 'Ethics'"):
        bare.delete_section("churn/1", "Ethics", "Ada")


@pytest.mark.parametrize(
    "bad",
    [
        {"heading": ""},
        {"heading": "a\nb"},
        {"heading": "x" * 201},
        {"text": " "},
        {"text": "x" * 50_001},
        {"text": "a\0b"},
        {"by": ""},
        {"ref": "runs:/r1"},
    ],
)
def test_a_section_that_cannot_be_kept_is_refused(bare: ModelCards, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        bare.write_section(**{"ref": "churn/1", "heading": "Ethics", "text": "none", "by": "Ada", **bad})


def test_a_card_has_not_any_number_of_sections(bare: ModelCards) -> None:
    for number in range(50):
        bare.write_section("churn/1", f"Section {number}", "text", "Ada")
    with pytest.raises(InvalidInput, match="has 50 sections"):
        bare.write_section("churn/1", "One more", "text", "Ada")
    bare.write_section("churn/1", "Section 7", "other text", "Ada")


@pytest.mark.parametrize("ref", ["churn/9", "none", "none/1", "churn@blue"])
def test_what_is_not_there_has_no_card(bare: ModelCards, ref: str) -> None:
    with pytest.raises(NotFound):
        bare.card(ref)
    with pytest.raises(NotFound):
        bare.write_section(ref, "Ethics", "none", "Ada")
    with pytest.raises(NotFound):
        bare.list_sections(ref)


def test_a_card_survives_the_wire(full: ModelCards) -> None:
    full.write_section("churn/1", "Ethics", "none", "Ada")
    card = full.get("churn/1")
    assert from_json(to_json(card), ModelCard) == card
