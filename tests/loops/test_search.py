"""Many policies on one recorded past, and the story that is told of it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from click.testing import CliRunner

from flyball.errors import InvalidInput, NotFound
from flyball.loops.search import search
from flyball.loops.story import tell
from flyball.workspace import Workspace
from tests.loops.clicks import Life
from tests.loops.test_simulation import recorded

__all__ = ["recorded"]


def test_the_search_shows_what_trainings_buy(recorded: Workspace) -> None:
    found = search(recorded, "shop")
    best = [each for each in found if each.is_best]
    assert len(found) > 20
    assert len(best) >= 2
    pairs = [(each.trainings, each.gain or 0.0) for each in best]
    assert pairs == sorted(pairs)
    assert all(more[1] > less[1] for less, more in pairwise(pairs) if more[0] > less[0])
    assert best[-1].trainings > best[0].trainings


def test_no_policy_beats_one_that_is_best(recorded: Workspace) -> None:
    found = search(recorded, "shop")
    for each in found:
        beaten = any(
            other.trainings <= each.trainings
            and (other.gain or 0) >= (each.gain or 0)
            and (other.trainings, other.gain or 0) != (each.trainings, each.gain or 0)
            for other in found
        )
        assert each.is_best == (not beaten)


def test_the_present_policy_is_among_them_once(recorded: Workspace) -> None:
    assert sum(each.is_present for each in search(recorded, "shop")) == 1


def test_a_cool_down_of_weeks_is_searched_too(recorded: Workspace) -> None:
    recorded.loops.apply(replace(recorded.loops.get("shop").loop, cooldown_seconds=14 * 86_400.0))
    assert [each.cooldown for each in search(recorded, "shop", cooldowns=["1d"]) if each.is_present] == ["1209600s"]


def test_the_search_says_how_far_it_is(recorded: Workspace) -> None:
    told: list[tuple[int, int]] = []
    search(recorded, "shop", cooldowns=["1d"], progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == len(told)


def test_a_search_without_a_past_or_without_end_is_refused(recorded: Workspace) -> None:
    with pytest.raises(NotFound):
        search(recorded, "shoe")
    with pytest.raises(InvalidInput, match="policies to try"):
        search(recorded, "shop", cooldowns=[f"{hours}h" for hours in range(100)])


def test_the_story_tells_what_was_found_how_sure_it_is_and_what_came_of_it(served: Life) -> None:
    served.live(24, turned=True)
    served.settle()
    for _ in range(2):
        served.live(6, turned=True)
        served.settle()
    told = {sentence.decision: sentence for sentence in tell(served.workspace, "clicks")}
    assert told["retrain"].because.startswith("roc_auc fell from ")
    assert told["retrain"].sure.startswith("its 95 % interval, ")
    assert "version 2 was made" in told["retrain"].so
    assert told["retrain"].so.endswith("version 2 took over on 2013-06-04 12:00")
    assert [sentence.decision for sentence in tell(served.workspace, "clicks")][:2] == ["retrain", "deploy"]


def test_the_story_of_what_waits_says_why(served: Life) -> None:
    served.apply(max_trainings_per_week=1)
    served.live(24, turned=True)
    served.settle()
    assert tell(served.workspace, "clicks")[-1].because.endswith("but the budget of 1 trainings a week is spent")


def test_the_command_tells_the_story(served: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    from flyball.cli.loops import loops

    served.live(24, turned=True)
    served.settle()
    monkeypatch.chdir(served.workspace.root)
    monkeypatch.setenv("FLYBALL_CLOCK", "virtual")
    for name, value in (
        ("WORKSPACE", served.workspace.settings.workspace),
        ("DATABASE", served.workspace.settings.database),
    ):
        monkeypatch.setenv(f"FLYBALL_{name}", str(value))
    shown = CliRunner().invoke(loops, ["why", "clicks"], catch_exceptions=False)
    assert "sure: its 95 % interval" in shown.output
    plain = json.loads(CliRunner().invoke(loops, ["why", "clicks", "--json"], catch_exceptions=False).output)
    assert plain[-1]["decision"] == "roll out"
    found = CliRunner().invoke(loops, ["simulate", "clicks", "--search"], catch_exceptions=False)
    assert "policies were tried" in found.output
    refused = CliRunner().invoke(loops, ["simulate", "clicks", "--search", "--on", "drift()"])
    assert refused.exit_code == 2
