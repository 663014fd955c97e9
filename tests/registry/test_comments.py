"""What people say about things stays with those, and is theirs to change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flyball.clock import FixedClock
from flyball.errors import InvalidInput, NotFound, PermissionDenied
from flyball.models.package import ModelPackage
from flyball.registry.comments import Comment, Comments
from flyball.registry.versions import Registry
from flyball.serialization import from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs


@pytest.fixture
def comments(
    registry: Registry, package: ModelPackage, database: Database, blobs: Blobs, events: EventLog, clock: FixedClock
) -> Comments:
    for _ in range(2):
        registry.register("churn", package)
    return Comments(database, blobs, events, clock)


@pytest.mark.parametrize(
    "ref", ["models:/churn/1", "models:/churn", "runs:/01h", "snapshots:/orders/3f2a", "loops:/churn"]
)
def test_anything_can_be_spoken_of(comments: Comments, ref: str, clock: FixedClock) -> None:
    made = comments.add(ref, "Why **so** few rows?", "Ada")
    assert (made.ref, made.by, made.text, made.at) == (ref, "Ada", "Why **so** few rows?", clock.now())
    assert comments.list(ref) == [made]
    assert from_json(to_json(made), Comment) == made


def test_what_is_said_under_an_alias_stays_with_the_version(comments: Comments, registry: Registry) -> None:
    registry.set_alias("churn", "blue", 1)
    made = comments.add("models:/churn@blue", "good", "Ada")
    registry.set_alias("churn", "blue", 2)
    assert comments.list("models:/churn/1") == [made]
    assert comments.list("models:/churn@blue") == []


def test_an_answer_names_what_it_answers(comments: Comments) -> None:
    first = comments.add("models:/churn/1", "good", "Ada")
    answer = comments.add("models:/churn/1", "how good?", "Grace", reply_to=first.id)
    assert [found.reply_to for found in comments.list("models:/churn/1")] == ["", first.id]
    with pytest.raises(InvalidInput, match="is not about"):
        comments.add("models:/churn/2", "no", "Ada", reply_to=answer.id)
    with pytest.raises(NotFound):
        comments.add("models:/churn/1", "no", "Ada", reply_to="nope")


def test_one_changes_only_what_one_has_said(comments: Comments, clock: FixedClock) -> None:
    made = comments.add("runs:/r1", "good", "Ada")
    clock.advance(timedelta(minutes=1))
    changed = comments.edit(made.id, "very good", "Ada")
    assert (changed.text, changed.at, changed.edited) == ("very good", made.at, clock.now())
    with pytest.raises(PermissionDenied, match="Ada has said this, not Grace"):
        comments.edit(made.id, "bad", "Grace")
    with pytest.raises(PermissionDenied):
        comments.delete(made.id, "Grace")


def test_what_is_taken_back_leaves_its_place_only(comments: Comments, clock: FixedClock) -> None:
    made = comments.add("runs:/r1", "secret", "Ada")
    comments.delete(made.id, "Ada")
    assert comments.list("runs:/r1") == []
    [place] = comments.list("runs:/r1", deleted=True)
    assert (place.text, place.deleted) == ("", clock.now())
    for again in (lambda: comments.delete(made.id, "Ada"), lambda: comments.edit(made.id, "x", "Ada")):
        with pytest.raises(NotFound):
            again()


def test_comments_come_oldest_first_page_by_page(comments: Comments) -> None:
    made = [comments.add("runs:/r1", str(number), "Ada") for number in range(3)]
    first = comments.list("runs:/r1", limit=2)
    assert first + comments.list("runs:/r1", after=first[-1].id) == sorted(made, key=lambda comment: comment.id)


@pytest.mark.parametrize(
    "bad",
    [
        {"text": " \n"},
        {"text": "x" * 20_001},
        {"text": "a\0b"},
        {"by": ""},
        {"ref": ""},
        {"ref": "churn"},
        {"ref": "x:/y"},
        {"ref": "models:/churn/1\n"},
        {"ref": f"runs:/{'x' * 600}"},
    ],
)
def test_what_cannot_be_kept_is_refused(comments: Comments, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        comments.add(**{"ref": "models:/churn/1", "text": "good", "by": "Ada", **bad})


@pytest.mark.parametrize("ref", ["models:/churn/9", "models:/none/1", "models:/churn@blue"])
def test_a_version_that_is_not_there_is_not_spoken_of(comments: Comments, ref: str) -> None:
    with pytest.raises(NotFound):
        comments.add(ref, "good", "Ada")


def test_who_is_named_in_a_comment_finds_it(comments: Comments) -> None:
    comments.add("runs:/one", "@ada_l look at this, please.", "bob")
    comments.add("runs:/two", "mail to x@ada_l.example, @ada_lovelace and @adaXl", "bob")
    last = comments.add("datasets:/orders", "(@Ada_L): and at this", "bob")
    assert [one.ref for one in comments.mentions("ada_l")] == ["datasets:/orders", "runs:/one"]
    assert [one.ref for one in comments.mentions("ada_l", before=last.id)] == ["runs:/one"]
    comments.delete(last.id, "bob")
    assert [one.ref for one in comments.mentions("ada_l")] == ["runs:/one"]
