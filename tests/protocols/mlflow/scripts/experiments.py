"""Experiments: made, found, renamed, tagged, removed and brought back."""

from __future__ import annotations

import mlflow
from checks import check, refused, same
from mlflow import MlflowClient
from mlflow.entities import ExperimentTag, ViewType

client = MlflowClient()
ids: dict[str, str] = {}


@check
def the_default_experiment_is_there() -> None:
    same(client.get_experiment("0").name, "Default")
    same(client.get_experiment_by_name("Default").experiment_id, "0")


@check
def an_experiment_is_made_and_found() -> None:
    ids["a"] = client.create_experiment("fruit / apples (é, 猫)", tags={"kind": "fruit", "colour": "red"})
    found = client.get_experiment(ids["a"])
    same(found.name, "fruit / apples (é, 猫)")
    same(found.tags["kind"], "fruit")
    same(found.lifecycle_stage, "active")
    assert found.artifact_location.startswith("mlflow-artifacts:/"), found.artifact_location
    assert found.creation_time <= found.last_update_time
    same(client.get_experiment_by_name("fruit / apples (é, 猫)").experiment_id, ids["a"])


@check
def set_experiment_makes_what_is_not_there() -> None:
    made = mlflow.set_experiment("made by set_experiment")
    same(mlflow.set_experiment("made by set_experiment").experiment_id, made.experiment_id)
    same(mlflow.set_experiment(experiment_id=made.experiment_id).name, "made by set_experiment")


@check
def a_name_is_taken_once() -> None:
    refused(lambda: client.create_experiment("made by set_experiment"), "RESOURCE_ALREADY_EXISTS")


@check
def an_experiment_that_is_not_there_is_said_so() -> None:
    refused(lambda: client.get_experiment("987654321"), "RESOURCE_DOES_NOT_EXIST")
    same(client.get_experiment_by_name("nobody made this"), None)


@check
def an_empty_name_is_refused() -> None:
    refused(lambda: client.create_experiment(""), "INVALID_PARAMETER_VALUE")


@check
def it_is_renamed() -> None:
    client.rename_experiment(ids["a"], "apples")
    same(client.get_experiment(ids["a"]).name, "apples")
    same(client.get_experiment_by_name("apples").experiment_id, ids["a"])
    # MLflow's own server shows the database's words here; any refusal will do.
    try:
        client.rename_experiment(ids["a"], "made by set_experiment")
    except mlflow.MlflowException:
        same(client.get_experiment(ids["a"]).name, "apples")
    else:
        raise AssertionError("not refused")


@check
def tags_are_set_and_removed() -> None:
    client.set_experiment_tag(ids["a"], "owner", "ann")
    client.set_experiment_tag(ids["a"], "owner", "bob")
    same(client.get_experiment(ids["a"]).tags["owner"], "bob")
    mlflow.set_experiment(experiment_id=ids["a"])
    mlflow.set_experiment_tag("stage", "one")
    mlflow.set_experiment_tags({"two": "2", "three": "3"})
    same(client.get_experiment(ids["a"]).tags["three"], "3")
    if hasattr(client, "delete_experiment_tag"):
        client.delete_experiment_tag(ids["a"], "owner")
        assert "owner" not in client.get_experiment(ids["a"]).tags


@check
def they_are_searched_by_name_and_tag() -> None:
    for number in range(4):
        ids[f"s{number}"] = client.create_experiment(f"search {number}", tags={"n": str(number), "s": "yes"})

    def names(**options: object) -> list[str]:
        return [found.name for found in client.search_experiments(**options)]

    same(names(filter_string="name LIKE 'search %'", order_by=["name ASC"]), [f"search {n}" for n in range(4)])
    same(names(filter_string="name ILIKE 'SEARCH %'", order_by=["name DESC"])[0], "search 3")
    same(names(filter_string="name = 'search 2'"), ["search 2"])
    same(names(filter_string="attribute.name != 'search 2' AND tags.s = 'yes'", order_by=["name"])[2], "search 3")
    same(names(filter_string="tags.n = '1' AND tag.s = 'yes'"), ["search 1"])
    same(names(filter_string="tags.`n` LIKE '3'"), ["search 3"])
    same(names(filter_string="tags.n != '0' AND tags.s = 'yes'", order_by=["name"])[0], "search 1")
    created = client.get_experiment(ids["s2"]).creation_time
    same("search 2" in names(filter_string=f"creation_time >= {created}"), True)
    same(names(order_by=["experiment_id ASC"])[0], "Default")
    same(names(filter_string=f"last_update_time < {created - 10**9}"), [])


@check
def newest_come_first() -> None:
    found = [int(e.experiment_id) for e in client.search_experiments(filter_string="name LIKE 'search %'")]
    same(found, sorted(found, reverse=True))


@check
def searches_go_on_from_page_to_page() -> None:
    options = {"filter_string": "name LIKE 'search %'", "order_by": ["name"], "max_results": 3}
    first = client.search_experiments(**options)
    same([e.name for e in first], ["search 0", "search 1", "search 2"])
    last = client.search_experiments(**options, page_token=first.token)
    same([e.name for e in last], ["search 3"])
    same(last.token, None)


@check
def a_filter_that_says_nothing_is_refused() -> None:
    for wrong in ("name == 'x'", "colour = 'red'", "name = 3", "tags.a > 'x'", "name LIKE"):
        refused(lambda wrong=wrong: client.search_experiments(filter_string=wrong), "INVALID_PARAMETER_VALUE")
    refused(lambda: client.search_experiments(order_by=["colour"]), "INVALID_PARAMETER_VALUE")
    refused(lambda: client.search_experiments(max_results=-1), "INVALID_PARAMETER_VALUE")


@check
def a_removed_one_is_out_of_sight_and_comes_back() -> None:
    run = client.create_run(ids["s0"]).info.run_id
    client.delete_experiment(ids["s0"])
    same(client.get_experiment(ids["s0"]).lifecycle_stage, "deleted")
    same(client.get_run(run).info.lifecycle_stage, "deleted")
    pattern = "name LIKE 'search 0'"
    same(list(client.search_experiments(filter_string=pattern)), [])
    same(len(client.search_experiments(filter_string=pattern, view_type=ViewType.DELETED_ONLY)), 1)
    same(len(client.search_experiments(filter_string=pattern, view_type=ViewType.ALL)), 1)
    refused(lambda: mlflow.set_experiment("search 0"), "INVALID_PARAMETER_VALUE")
    refused(lambda: client.create_experiment("search 0"), "RESOURCE_ALREADY_EXISTS")
    client.restore_experiment(ids["s0"])
    same(client.get_experiment(ids["s0"]).lifecycle_stage, "active")
    same(client.get_run(run).info.lifecycle_stage, "active")


@check
def a_place_in_a_bucket_is_kept_as_it_was_given() -> None:
    made = client.create_experiment("in a bucket", artifact_location="s3://bucket/some/where")
    same(client.get_experiment(made).artifact_location.rstrip("/"), "s3://bucket/some/where")
    run = client.create_run(made)
    same(run.info.artifact_uri, f"s3://bucket/some/where/{run.info.run_id}/artifacts")


@check
def tags_come_as_entities_too() -> None:
    found = client.get_experiment(ids["a"])
    same(ExperimentTag("stage", "one").value, found.tags["stage"])
