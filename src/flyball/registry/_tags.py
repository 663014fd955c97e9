"""Tags as the database sees them: values of a column with a JSON object, compared with texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from flyball.tracking.filter_sql import compare
from flyball.tracking.filters import TEXT, Comparison, Field, Group

PROMPT_TAG = "mlflow.prompt.is_prompt"
"""What marks a registered model, or a version of it, as a prompt, which is kept like a model and is none."""

ATTRIBUTE_NAMES = ("attributes", "attr")
TAGS = Group(name="tag", aliases=("tags",), any_key=Field(kind="text", operators=TEXT))
"""How filters name the tags of a model or a version."""


class _TagOf(FunctionElement[str]):
    """The text that a JSON object has under a key; NULL if there is none."""

    inherit_cache = True
    type = sa.Text()
    name = "flyball_tag_of"


@compiles(_TagOf)
def _tag_of(element: _TagOf, compiler: Any, **options: Any) -> str:
    column, key = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(CAST({column} AS JSONB) ->> {key})"


@compiles(_TagOf, "sqlite")
def _tag_of_sqlite(element: _TagOf, compiler: Any, **options: Any) -> str:
    column, key = (compiler.process(clause, **options) for clause in element.clauses)
    # Not as a path of json_extract, in which a key with a quotation mark has no spelling.
    return f"(SELECT tag.value FROM json_each({column}) AS tag WHERE tag.key = {key})"  # noqa: S608  # made of compiled parts


def tag_of(column: sa.ColumnElement[Any], key: str) -> sa.ColumnElement[str]:
    """The value that a column of tags has under a key; NULL if there is none."""
    return _TagOf(sa.type_coerce(column, sa.Text), sa.literal(key, sa.Text))


def is_prompt(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether the tags are those of a prompt."""
    return sa.func.coalesce(sa.func.lower(tag_of(column, PROMPT_TAG)), "") == "true"


def asks_for_prompts(asked: Iterable[Comparison]) -> bool:
    """Whether a search asks for prompts. All others are for models, without their saying so."""
    for one in asked:
        if one.group == "tag" and one.key == PROMPT_TAG:
            word = str(one.value).lower()
            return bool((one.operator == "=" and word == "true") or (one.operator == "!=" and word == "false"))
    return False


def tag_fits(column: sa.ColumnElement[Any], asked: Comparison) -> sa.ColumnElement[bool]:
    """Whether a column of tags fits what is asked of one of them."""
    if asked.key == PROMPT_TAG:
        return sa.true() if not asks_for_prompts([asked]) else is_prompt(column)
    return compare(tag_of(column, asked.key), asked, nullable=True)
