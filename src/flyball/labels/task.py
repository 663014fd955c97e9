"""What is asked of those who label, and what they may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from flyball.errors import InvalidInput, did_you_mean
from flyball.refs import check_name
from flyball.serialization import JsonValue

TaskKind = Literal["classify", "tags", "accept", "span", "text", "boxes"]
ItemKind = Literal["row", "text", "image", "audio"]
Rule = Literal["last", "majority", "consensus"]
MOST_CLASSES = 1_000
_MOST_PARTS = 10_000
_LONGEST_TEXT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSet:
    """A body of things to be labelled, and how.

    Attributes:
        task: `classify`: one of the classes. `tags`: any number of them. `accept`: true or false. `span`: parts of a text
            with a class each. `text`: a text of one's own. `boxes`: rectangles of an image with a class each.
        items: What is labelled: rows of a table, texts, images or sounds.
        classes: The classes that there are; empty for `accept` and `text`.
        overlap: How many people label each thing.
        rule: What counts where they do not agree: the `last` word, the `majority`, or the `consensus` that also weighs how
            often each of them is right (Dawid and Skene).
        lease_seconds: How long a thing that was handed out is kept for the one who got it.
        instructions: What those who label should know.
    """

    name: str
    task: TaskKind
    items: ItemKind = "row"
    classes: tuple[str, ...] = ()
    overlap: int = 1
    rule: Rule = "majority"
    lease_seconds: float = 900.0
    description: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """A thing to be labelled.

    Attributes:
        key: Its name within the set: the key of a row, the path of a file, the id of a prediction.
        data: What is shown: the row, or `{"text": ...}`; width and height of an image where they are known.
        ref: Text of the `Ref` of the snapshot that it is from; empty if from none.
        digest: Digest of its file's bytes; empty where it has none.
        prediction: What a model says: the probability of each class, or `{"value": ..., "confidence": ...}`.
        priority: Things with a higher one are handed out first.
        source: Where it came from, in words.
    """

    key: str
    data: dict[str, JsonValue] = field(default_factory=dict)
    ref: str = ""
    digest: str = ""
    prediction: dict[str, JsonValue] = field(default_factory=dict)
    priority: float = 0.0
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(NewItem):
    """A thing to be labelled, in its set.

    Attributes:
        labels: How many people have labelled it.
        needed: How many shall.
        order: Its place among those that were added.
    """

    labels: int = 0
    needed: int = 1
    order: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLabel:
    """A label as it is given.

    Attributes:
        item: Key of the thing.
        value: What is said: a class, a list of classes, true or false, a text, or a list of spans or boxes. None takes the
            annotator's label back.
        source: How it came: `person`, or such as `import:coco`.
        confidence: How sure the annotator is, from 0 to 1; None where that was not asked.
        origin: What names it where it comes from, so that it is not taken twice; empty for none.
        at: When it was given; None for now.
    """

    item: str
    value: Any
    annotator: str
    source: str = "person"
    confidence: float | None = None
    origin: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One entry in the book of labels, which never changes.

    Attributes:
        number: Its place in the book.
        value: None where the annotator took a label back.
    """

    number: int
    item: str
    value: Any
    annotator: str
    at: datetime
    source: str = "person"
    confidence: float | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentLabel:
    """What counts as the label of a thing now.

    Attributes:
        confidence: How much speaks for it, from 0 to 1: the share of those who say so, or the consensus' probability.
        labels: How many people labelled it.
        at: When the last of them did.
    """

    item: str
    value: Any
    confidence: float
    labels: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the work on a set is.

    Attributes:
        done: Things that as many people have labelled as shall.
        leased: Things that are with somebody now.
        annotators: How many things each of them has labelled.
    """

    items: int
    done: int
    started: int
    leased: int
    skipped: int
    labels: int
    annotators: dict[str, int] = field(default_factory=dict)


def check_set(declared: LabelSet) -> None:
    """Makes sure that a set can be worked on.

    Raises:
        InvalidInput: it cannot; the message says why.
    """
    check_name(declared.name, "label set")
    needs_classes = declared.task in ("classify", "tags", "span", "boxes")
    if needs_classes and not declared.classes:
        raise InvalidInput(f"The task '{declared.task}' needs classes.", hint="Give the classes that there are.")
    if not needs_classes and declared.classes:
        raise InvalidInput(f"The task '{declared.task}' knows no classes.")
    if len(declared.classes) > MOST_CLASSES or len(set(declared.classes)) != len(declared.classes):
        raise InvalidInput("Classes must differ, and be at most 1,000.")
    for name in declared.classes:
        if not name.strip() or len(name) > 200 or not name.isprintable():
            raise InvalidInput(f"{name[:60]!r} cannot be a class.", hint="Use up to 200 letters.")
    if not 1 <= declared.overlap <= 100:
        raise InvalidInput(f"The overlap is {declared.overlap}.", hint="Let 1 to 100 people label each thing.")
    if not 1 <= declared.lease_seconds <= 30 * 86_400:
        raise InvalidInput(f"A lease of {declared.lease_seconds:g} seconds is of no use.", hint="Give 1s to 30d.")


def check_value(declared: LabelSet, value: Any) -> Any:
    """The value as it is kept: the same answer is always the same value.

    Raises:
        InvalidInput: it is no answer to the set's task.
    """
    return _CHECKS[declared.task](declared, value)


def _classify(declared: LabelSet, value: Any) -> Any:
    if not isinstance(value, str) or value not in declared.classes:
        raise InvalidInput(f"{_shown(value)} is no class of '{declared.name}'.", hint=_near(value, declared))
    return value


def _tags(declared: LabelSet, value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise InvalidInput(f"{_shown(value)} is no list of classes.", hint="Give a list, which may be empty.")
    given = {_classify(declared, each) for each in value}
    return [name for name in declared.classes if name in given]


def _accept(_: LabelSet, value: Any) -> Any:
    if not isinstance(value, bool):
        raise InvalidInput(f"{_shown(value)} is neither true nor false.")
    return value


def _text(_: LabelSet, value: Any) -> Any:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or "\0" in value:
        raise InvalidInput(f"{_shown(value)} is no text of up to {_LONGEST_TEXT:,} signs.")
    return value


def _span(declared: LabelSet, value: Any) -> Any:
    found = []
    for part in _parts(value):
        start, end = part.get("start"), part.get("end")
        if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end:
            raise InvalidInput(f"{_shown(part)} is no span.", hint='Write it as {"start": 0, "end": 4, "label": "x"}.')
        text = part.get("text")
        found.append(
            {"start": start, "end": end, "label": _classify(declared, part.get("label"))}
            | ({"text": text[:_LONGEST_TEXT]} if isinstance(text, str) else {})
        )
    return sorted(found, key=lambda each: (each["start"], each["end"], each["label"]))


def _boxes(declared: LabelSet, value: Any) -> Any:
    found = []
    for part in _parts(value):
        try:
            box = {side: round(float(part[side]), 4) for side in ("x", "y", "width", "height")}
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"{_shown(part)} is no box.", hint="x, y, width and height, in pixels.") from error
        if not all(abs(side) < 1e7 for side in box.values()) or box["width"] <= 0 or box["height"] <= 0:
            raise InvalidInput(f"{_shown(part)} is no box.", hint="Width and height must be above 0.")
        found.append({**box, "label": _classify(declared, part.get("label"))})
    return sorted(found, key=lambda each: (each["x"], each["y"], each["width"], each["height"], each["label"]))


def _parts(value: Any) -> list[dict[str, Any]]:
    usable = isinstance(value, list | tuple) and all(isinstance(part, dict) for part in value)
    if not usable or len(value) > _MOST_PARTS:
        raise InvalidInput(f"{_shown(value)} is no list of parts.", hint="Give a list, which may be empty.")
    return list(value)


def _near(value: Any, declared: LabelSet) -> str:
    return did_you_mean(str(value), declared.classes)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


_CHECKS: dict[TaskKind, Callable[[LabelSet, Any], Any]] = {
    "classify": _classify, "tags": _tags, "accept": _accept, "span": _span, "text": _text, "boxes": _boxes,
}  # fmt: skip
assert set(_CHECKS) == set(get_args(TaskKind))
