"""`flyball db`: the metadata database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import click
from sqlalchemy.exc import SQLAlchemyError

from flyball.cli.output import print_facts, print_json
from flyball.errors import FlyballError, WorkFailed
from flyball.settings import HOME, Settings, load_settings

if TYPE_CHECKING:
    from flyball.storage.database import Database


@click.group()
def db() -> None:
    """The metadata database: state, upgrade, downgrade."""


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def show(as_json: bool) -> None:
    """Show where the database stands, and what this release needs."""
    from flyball.storage.database import Database
    from flyball.storage.upgrades import HEAD, revision

    database = Database(load_settings().database)
    facts = {
        "database": database.url.render_as_string(hide_password=True),
        "revision": revision(database),
        "needed": HEAD,
    }
    database.close()
    print_json(facts) if as_json else print_facts(facts)


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def upgrade(as_json: bool) -> None:
    """Bring the database to the tables of this release, and those of all projects. Back it up first."""
    from flyball.storage.database import Database
    from flyball.storage.upgrades import HEAD
    from flyball.storage.upgrades import upgrade as bring_up

    settings = _home()
    database = Database(settings.database)
    before = bring_up(database)
    database.close()
    done, troubles = _each_project(settings, bring_up)
    if as_json:
        print_json({"before": before, "now": HEAD, "projects": done, "troubles": troubles})
    else:
        click.echo(f"The database was at {before or 'nothing'} and is at {HEAD}.")
        for name, was in done.items():
            click.echo(f"The project {name} was at {was or 'nothing'} and is at {HEAD}.")
    _tell(troubles)


@db.command()
@click.argument("revision")
@click.confirmation_option(prompt="What only later tables could hold will be lost. Go on?")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def downgrade(revision: str, as_json: bool) -> None:
    """Take the database back to REVISION, for an earlier release, and those of all projects. Back it up first."""
    from flyball.storage.database import Database
    from flyball.storage.upgrades import downgrade as take_back

    settings = _home()
    # The projects first: what is known of them stands in the tables of the workspace.
    done, troubles = _each_project(settings, lambda database: take_back(database, revision))
    _tell(troubles)
    database = Database(settings.database)
    before = take_back(database, revision)
    database.close()
    if as_json:
        print_json({"before": before, "now": revision, "projects": done})
    else:
        click.echo(f"The database was at {before} and is at {revision}.")
        for name, was in done.items():
            click.echo(f"The project {name} was at {was} and is at {revision}.")


def _home() -> Settings:
    return replace(load_settings(), project=HOME)


def _each_project(settings: Settings, act: Callable[[Database], str]) -> tuple[dict[str, str], dict[str, str]]:
    """What came of it for each project, and what went wrong: one that is broken keeps no other from it."""
    from flyball.access.places import every_project
    from flyball.storage.database import Database

    done, troubles = dict[str, str](), dict[str, str]()
    database = Database(settings.database, connections=1)
    places = every_project(settings, database)[1:]
    database.close()
    for own in places:
        database = Database(own.database, connections=1)
        try:
            done[own.project] = act(database)
        except (FlyballError, SQLAlchemyError) as error:
            troubles[own.project] = str(error)
        finally:
            database.close()
    return done, troubles


def _tell(troubles: dict[str, str]) -> None:
    if troubles:
        name, trouble = next(iter(troubles.items()))
        others = f" and {len(troubles) - 1} more" if len(troubles) > 1 else ""
        raise WorkFailed(f"The project {name}{others} could not be brought there: {trouble}")
