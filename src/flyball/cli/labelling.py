"""Labelling at a terminal: one thing after the other, a key for each answer."""

from __future__ import annotations

import json
import string
import sys
from typing import Any

import click

from flyball.errors import InvalidInput

_YES, _NO = ("y", "yes", "true", "accept", "1"), ("n", "no", "false", "reject", "0")
_KEYS = string.digits[1:] + "0" + "abcdefghijklmnoprtvwxyz"  # without q, s and u, which do other things
_SKIP, _UNDO, _QUIT = "s", "u", "q"
_WIDEST = 2_000


def label_at_terminal(workspace: Any, name: str, annotator: str) -> int:
    """Hands out one thing after the other until nothing is left or the annotator stops; gives how many were labelled."""
    label_set = workspace.labels.get(name)
    click.echo(f"{label_set.instructions or label_set.description or label_set.name}  ({help_line(label_set)})")
    done, again = 0, None
    while True:
        item = again or next(iter(workspace.labels.next(name, annotator)), None)
        again = None
        if item is None:
            click.echo("Nothing is left for you.")
            return done
        _show(item)
        answer = _ask(label_set)
        if answer == _QUIT:
            return done
        if answer == _SKIP:
            workspace.labels.skip(name, item.key, annotator)
        elif answer == _UNDO:
            again = workspace.labels.undo(name, annotator)
            done -= again is not None
            if again is None:
                click.echo("There is nothing to take back.")
        else:
            try:
                workspace.labels.label(name, item.key, read_answer(label_set, answer), annotator)
                done += 1
            except InvalidInput as error:
                click.echo(str(error))
                again = item


def help_line(label_set: Any) -> str:
    """The keys, in one line."""
    if label_set.task == "accept":
        answers = "y yes, n no"
    elif label_set.task == "classify":
        answers = ", ".join(f"{key} {name}" for key, name in zip(_KEYS, label_set.classes, strict=False))
    elif label_set.task == "tags":
        answers = "classes with commas, or - for none: " + ", ".join(label_set.classes)
    elif label_set.task == "span":
        answers = "parts as FROM-TO CLASS with commas, or - for none: " + ", ".join(label_set.classes)
    elif label_set.task == "boxes":
        answers = "boxes as X Y WIDTH HEIGHT CLASS with commas, or - for none: " + ", ".join(label_set.classes)
    else:
        answers = "a text"
    if label_set.task in ("classify", "accept"):
        return f"{answers}; s skip, u undo, q quit"
    return f"{answers}; /s skip, /u undo, /q quit"


def read_answer(label_set: Any, text: str) -> Any:
    """What was typed as a label.

    Raises:
        InvalidInput: it is no answer to the set's task.
    """
    if label_set.task == "text":
        return text
    text = text.strip()
    if label_set.task == "classify":
        return _class(label_set, text)
    if label_set.task == "accept":
        if text.casefold() not in (*_YES, *_NO):
            raise InvalidInput(f"'{text}' is neither yes nor no.", hint="Type y or n.")
        return text.casefold() in _YES
    if text[:1] == "[":
        try:
            return json.loads(text)
        except ValueError as error:
            raise InvalidInput(f"This is no JSON: {error}.") from error
    parts = [] if text in ("", "-") else [part.strip() for part in text.split(",")]
    if label_set.task == "tags":
        return [_class(label_set, part) for part in parts]
    return [_span(part) if label_set.task == "span" else _box(part) for part in parts]


def _ask(label_set: Any) -> str:
    by_key = label_set.task == "accept" or (label_set.task == "classify" and len(label_set.classes) <= len(_KEYS))
    if by_key and sys.stdin.isatty():
        while True:
            key = click.getchar(echo=False)
            if key in ("\x03", "\x04"):
                return _QUIT
            known = (
                (_SKIP, _UNDO, _QUIT, "y", "n")
                if label_set.task == "accept"
                else (_SKIP, _UNDO, _QUIT, *_keys(label_set))
            )
            if key in known:
                return key
            click.echo(help_line(label_set))
    try:
        typed = click.prompt(">", prompt_suffix=" ", default="", show_default=False)
    except click.Abort:
        return _QUIT
    typed = str(typed)
    if label_set.task in ("classify", "accept"):
        return typed.strip() or _SKIP
    return typed[1:] if typed in ("/s", "/u", "/q") else f"{typed} " if typed in (_SKIP, _UNDO, _QUIT) else typed


def _keys(label_set: Any) -> str:
    return _KEYS[: len(label_set.classes)]


def _class(label_set: Any, text: str) -> str:
    if text in label_set.classes:
        return text
    place = _KEYS.find(text) if len(text) == 1 else -1
    return str(label_set.classes[place]) if 0 <= place < len(label_set.classes) else text


def _span(part: str) -> dict[str, Any]:
    where, _, name = part.partition(" ")
    start, dash, end = where.partition("-")
    if not dash or not start.isdecimal() or not end.isdecimal():
        raise InvalidInput(f"'{part}' is no part of a text.", hint="Write it as 0-4 PERSON.")
    return {"start": int(start), "end": int(end), "label": name.strip()}


def _box(part: str) -> dict[str, Any]:
    words = part.split(maxsplit=4)
    try:
        sides = [float(word) for word in words[:4]]
        return {**dict(zip(("x", "y", "width", "height"), sides, strict=True)), "label": words[4]}
    except (ValueError, IndexError) as error:
        raise InvalidInput(f"'{part}' is no box.", hint="Write it as 10 20 30 40 car.") from error


def _show(item: Any) -> None:
    click.echo(f"\n{item.key}" + (f"   (a model says {_said(item.prediction)})" if item.prediction else ""))
    text = item.data.get("text")
    if isinstance(text, str):
        click.echo(_clean(text[:_WIDEST]))
        return
    width = max((len(name) for name in item.data), default=0)
    for name, value in item.data.items():
        click.echo(_clean(f"  {name:<{width}}  {value}"[:_WIDEST]))


def _said(prediction: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.2f}" if isinstance(value, float) else f"{value}" for name, value in prediction.items()
    )


def _clean(text: str) -> str:
    # What is to be labelled comes from anywhere and must not move the cursor or ring the bell.
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)
