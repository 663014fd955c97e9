"""What is marked as a verb is offered with its types; what is not stays inside."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.serialization import convert, json_schema, to_plain
from flyball.verbs import Verb, change, read, verbs_of
from flyball.workspace import SERVICES, service_class


class Shelf:
    """A service as rooms write them."""

    @read
    def get(self, name: str, limit: int | None = None) -> list[str]:
        """The things on the shelf.

        And more about them.
        """
        return [name] * (limit or 1)

    @change
    def put(self, name: str) -> None:
        """Puts a thing there."""

    def inside(self) -> None:
        """Nobody's business."""


class Longer(Shelf):
    @change(role="maintainer")
    def clear(self) -> int:
        return 0


def test_a_mark_says_which_role_a_verb_takes() -> None:
    roles = {name: verb.role for name, verb in verbs_of(Longer).items()}
    assert roles == {"get": "viewer", "put": "contributor", "clear": "maintainer"}


def test_marked_methods_are_verbs() -> None:
    assert {name: verb.effect for name, verb in verbs_of(Shelf).items()} == {"get": "read", "put": "change"}


def test_a_verb_tells_its_parameters_and_types() -> None:
    verb = verbs_of(Shelf)["get"]
    assert [(p.name, p.kind, p.required, p.default) for p in verb.parameters] == [
        ("name", str, True, None),
        ("limit", int | None, False, None),
    ]
    assert verb.returns == list[str]
    assert verb.summary == "The things on the shelf."
    assert verb.doc.endswith("And more about them.")


def test_a_verb_without_an_answer_gives_none() -> None:
    assert verbs_of(Shelf)["put"].returns is type(None)


def test_verbs_are_inherited() -> None:
    assert set(verbs_of(Longer)) == {"clear", "get", "put"}


def test_a_marked_method_is_still_the_method() -> None:
    assert Shelf().get("a", limit=2) == ["a", "a"]


rooms = pytest.mark.parametrize("room", SERVICES)


def verbs(room: str, effect: str = "") -> list[Verb]:
    return [verb for verb in verbs_of(service_class(room)).values() if not effect or verb.effect == effect]


@rooms
def test_every_room_offers_verbs(room: str) -> None:
    assert verbs(room)


@rooms
def test_every_verb_says_what_it_gives(room: str) -> None:
    assert [verb.name for verb in verbs(room) if not verb.summary.endswith(".")] == []


@rooms
def test_every_verb_can_be_described(room: str) -> None:
    for verb in verbs(room):
        json_schema([*(parameter.kind for parameter in verb.parameters), verb.returns])


@rooms
def test_a_read_is_asked_in_a_query_where_its_arguments_fit_into_one(room: str) -> None:
    for verb in verbs(room, "read"):
        schemas = [json_schema([parameter.kind])[0][0] for parameter in verb.parameters]
        shapes = [shape for schema in schemas for shape in schema.get("anyOf", [schema])]
        assert verb.by_query == all(fits_a_query(shape) for shape in shapes), verb.name


@rooms
def test_every_default_fits_its_type(room: str) -> None:
    for verb in verbs(room):
        for parameter in verb.parameters:
            if not parameter.required:
                convert(to_plain(parameter.default), parameter.kind)


def fits_a_query(shape: dict[str, Any]) -> bool:
    if shape.get("type") == "array":
        return fits_a_query(shape["items"])
    return "enum" in shape or shape.get("type") in ("string", "integer", "number", "boolean", "null")
