"""The nouns of evidence, and the seam of its formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from flyball.plugins import PluginGroup

if TYPE_CHECKING:
    from flyball.governance.evidence.facts import EvidenceFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that is known.

    Attributes:
        text: In one sentence or paragraph.
        source: Where it comes from: a reference, and which part of it.
    """

    text: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a document asks for at one place, and what is known of it.

    Attributes:
        heading: As the document names it.
        missing: What is not known and asked for; empty where nothing is missing.
        command: What would supply it.
    """

    heading: str
    said: tuple[Said, ...] = ()
    missing: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceDocument:
    """A document about a model version.

    Attributes:
        format: Name of the format, such as `annex-iv`.
        asked_by: What asks for it, with its date.
        made: When it was put together.
        missing: How many of its parts lack something.
    """

    format: str
    title: str
    asked_by: str
    ref: str
    made: datetime
    parts: tuple[Part, ...]
    missing: int


Look = Callable[["EvidenceFacts"], Sequence[Said]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A place in a document.

    Attributes:
        heading: As the document names it.
        looks: What is put there, one after the other.
        missing: What is said to be missing where nothing is known.
        command: What would supply it.
        needs_first: Whether it lacks something as long as the first of the looks finds nothing, whatever the others find.
    """

    heading: str
    looks: tuple[Look, ...]
    missing: str
    command: str
    needs_first: bool = False

    def answer(self, facts: EvidenceFacts) -> Part:
        """What is known."""
        found = [tuple(look(facts)) for look in self.looks]
        said = tuple(each for some in found for each in some)
        if found[0] if self.needs_first else said:
            return Part(heading=self.heading, said=said)
        command = self.command.replace("VERSION", facts.short).replace("MODEL", facts.version.model)
        return Part(heading=self.heading, said=said, missing=self.missing, command=command)


class EvidenceFormat(Protocol):
    """A kind of document, found by its name."""

    title: str
    asked_by: str

    def questions(self, facts: EvidenceFacts) -> Sequence[Question]:
        """The places of the document, in its order."""
        ...


FORMATS: PluginGroup[EvidenceFormat] = PluginGroup("evidence", "flyball.governance.evidence.formats")
"""All kinds of documents."""


def own(heading: str, asked: str) -> tuple[Look, str, str]:
    """A place that only people can fill: what looks for their section of that heading, what is missing, and the command."""

    def look(facts: EvidenceFacts) -> Sequence[Said]:
        return facts.written(heading)

    return look, f"Nobody has written {asked}.", f"flyball models section VERSION '{heading}' 'TEXT'"


def written(heading: str, section: str, asked: str, *looks: Look) -> Question:
    """A place that people fill, beside what facts say of it; without their word something is missing."""
    look, missing, command = own(section, asked)
    return Question(heading=heading, looks=(look, *looks), missing=missing, command=command, needs_first=True)


def known(heading: str, missing: str, command: str, *looks: Look) -> Question:
    """A place that facts fill."""
    return Question(heading=heading, looks=looks, missing=missing, command=command)
