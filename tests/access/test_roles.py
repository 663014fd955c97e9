"""Which role each verb takes, and in whose name it is done."""

from __future__ import annotations

import pytest

from flyball.errors import NotFound, PermissionDenied
from flyball.principals import Principal, acting_as, who
from flyball.verbs import verbs_of
from flyball.workspace import SERVICES, Workspace, service_class

# Changes that decide what answers, what is gone for good or who is told: each with the room it stands in.
RULE = {
    "approvals": {"approve", "reject"},
    "clock": {"set"},
    "data_versions": {"delete_dataset", "delete_snapshot", "replace_snapshot", "roll_back"},
    "deployments": {"abort", "advance", "deploy", "pause", "promote", "remove", "resume", "roll_back", "start_rollout"},
    "features": {"delete"},
    "labels": {"remove", "set_secret"},
    "lifecycle": {"deprecate", "undeprecate", "retire", "restore", "rollback", "replace_holdout"},
    "loops": {"apply", "pause", "resume", "remove"},
    "model_versions": {"delete", "set_mlflow_stage"},
    "registered_models": {"delete", "rename"},
    "registry": {"delete_version", "promote"},
    "trash": {"gc"},
    "webhooks": {"create", "delete", "update", "test"},
}


@pytest.mark.parametrize("room", sorted(RULE))
def test_what_decides_takes_a_maintainer(room: str) -> None:
    verbs = verbs_of(service_class(room))
    assert {name: verbs[name].role for name in RULE[room]} == dict.fromkeys(RULE[room], "maintainer")


@pytest.mark.parametrize("room", sorted(SERVICES))
def test_no_change_is_open_to_viewers_but_those_that_look_for_themselves(room: str) -> None:
    looks_itself = {"accounts", "groups", "members", "projects", "stores", "tokens"}
    changes = [verb for verb in verbs_of(service_class(room)).values() if verb.effect == "change"]
    low = {verb.name for verb in changes if verb.role in ("none", "viewer")}
    assert not low or room in looks_itself, low


def test_the_champion_is_chosen_by_maintainers_and_other_aliases_by_contributors(workspace: Workspace) -> None:
    with acting_as(Principal(name="ada", role="contributor")):
        with pytest.raises(PermissionDenied):
            workspace.registry.set_alias("m", "champion", 1)
        with pytest.raises(NotFound):  # nobody minds, there is only no such model
            workspace.registry.set_alias("m", "best", 1)


def test_a_name_that_is_given_counts_only_where_nobody_is_proven() -> None:
    assert who("grace") == "grace"
    with acting_as(Principal(name="ada")):
        assert who("grace") == "ada"
    with acting_as(Principal(name="ada", proven=False)):
        assert who("grace") == "grace"


def test_a_comment_stands_under_the_name_of_who_wrote_it(workspace: Workspace) -> None:
    workspace.registered_models.create("m")
    with acting_as(Principal(name="ada", role="contributor")):
        assert workspace.comments.add("models:/m", "hello", by="grace").by == "ada"
