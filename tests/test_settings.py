"""Flag before variable before file before default; what cannot be used says where it stands."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from flyball.errors import InvalidInput
from flyball.settings import SETTABLE, Settings, as_environment, find_project, load_settings

NOTHING: dict[str, str] = {}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    (root / "sub" / "folder").mkdir(parents=True)
    (root / "flyball.toml").write_text('name = "shop-models"\nport = 1000\n', encoding="utf-8")
    return root


def test_defaults_are_a_local_workspace_in_the_project(tmp_path: Path) -> None:
    root = tmp_path / "bare"
    root.mkdir()
    assert load_settings(environment=NOTHING, start=root) == Settings(
        root=root,
        name="bare",
        workspace=root / ".flyball",
        database=f"sqlite:///{root}/.flyball/flyball.db",
        objects=f"{root}/.flyball/objects",
        online=f"sqlite:///{root}/.flyball/online.db",
    )


def test_the_project_is_found_from_a_folder_beneath_it(project: Path) -> None:
    found = load_settings(environment=NOTHING, start=project / "sub" / "folder")
    assert (found.root, found.name, found.workspace) == (project, "shop-models", project / ".flyball")


def test_the_nearest_project_counts(project: Path) -> None:
    (project / "sub" / "pyproject.toml").write_text("[tool.flyball]\nport = 7\n", encoding="utf-8")
    assert find_project(project / "sub" / "folder") == project / "sub"
    assert load_settings(environment=NOTHING, start=project / "sub").port == 7


def test_a_pyproject_of_something_else_is_no_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n", encoding="utf-8")
    assert find_project(tmp_path) is None


def test_a_flag_goes_before_a_variable_before_the_file(project: Path) -> None:
    environment = {"FLYBALL_PORT": "2000"}
    assert load_settings(environment=NOTHING, start=project).port == 1000
    assert load_settings(environment=environment, start=project).port == 2000
    assert load_settings({"port": 3000}, environment=environment, start=project).port == 3000


def test_a_flag_that_was_not_given_and_an_empty_variable_do_not_count(project: Path) -> None:
    assert load_settings({"port": None}, environment={"FLYBALL_PORT": ""}, start=project).port == 1000


@pytest.mark.parametrize("name", SETTABLE)
def test_every_setting_has_a_variable(name: str, tmp_path: Path) -> None:
    choices = {"clock": "virtual", "log_level": "debug", "webhook_networks": "any", "project": "risk"}
    addresses = dict.fromkeys(("url", "behind_proxy", "oidc_issuer"), "https://team")
    numbers = dict.fromkeys(
        ("port", "session_hours", "rate_limit", "request_seconds", "max_body_mib", "disk_reserve_mib"), "9"
    )
    example = {"auth": "on", **addresses, **numbers, **choices}.get(name, "/some/where")
    found = load_settings(environment={f"FLYBALL_{name.upper()}": example}, start=tmp_path)
    assert str(getattr(found, name)) == example


def test_relative_paths_in_the_file_count_from_the_project(project: Path) -> None:
    text = 'workspace = "ws"\nobjects = "bytes"\ndatabase = "sqlite:///rows.db?timeout=5"\n'
    (project / "flyball.toml").write_text(text, encoding="utf-8")
    found = load_settings(environment=NOTHING, start=project / "sub")
    assert found.workspace == project / "ws"
    assert found.objects == f"{project}/bytes"
    assert found.database == f"sqlite:///{project}/rows.db?timeout=5"


def test_relative_paths_in_flags_and_variables_count_from_where_one_stands(project: Path) -> None:
    found = load_settings({"workspace": "ws"}, environment={"FLYBALL_OBJECTS": "bytes"}, start=project / "sub")
    assert found.workspace == project / "sub" / "ws"
    assert found.objects == f"{project}/sub/bytes"
    assert found.database == f"sqlite:///{project}/sub/ws/flyball.db"


def test_a_path_may_begin_at_home(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert load_settings({"workspace": "~/ws"}, environment=NOTHING, start=project).workspace == Path("/home/me/ws")


def test_addresses_stay_as_they_are(project: Path) -> None:
    given = {"objects": "s3://bucket/prefix", "database": "postgresql://me@host/flyball"}
    found = load_settings(given, environment=NOTHING, start=project)
    assert (found.objects, found.database) == (given["objects"], given["database"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "many"),
        ("port", "-1"),
        ("port", "65536"),
        ("port", "²"),
        ("clock", "sundial"),
        ("url", "team:8080"),
        ("log_level", "loud"),
    ],
)
def test_an_unusable_value_says_where_it_stands(name: str, value: str, project: Path) -> None:
    with pytest.raises(InvalidInput, match=f"the command line sets {name}") as caught:
        load_settings({name: value}, environment=NOTHING, start=project)
    assert caught.value.hint
    variable = f"FLYBALL_{name.upper()}"
    with pytest.raises(InvalidInput, match=f"the environment variable {variable} sets {name}"):
        load_settings(environment={variable: value}, start=project)
    (project / "flyball.toml").write_text(f'{name} = "{value}"\n', encoding="utf-8")
    with pytest.raises(InvalidInput, match=rf"flyball\.toml sets {name}"):
        load_settings(environment=NOTHING, start=project)


@pytest.mark.parametrize("line", ["port = true", "port = 1.5", "name = 3", "workspace = []"])
def test_a_value_of_another_type_is_refused(line: str, project: Path) -> None:
    (project / "flyball.toml").write_text(line, encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"flyball\.toml sets"):
        load_settings(environment=NOTHING, start=project)


def test_an_unknown_setting_is_told_with_the_nearest(project: Path) -> None:
    (project / "flyball.toml").write_text('databse = "x"', encoding="utf-8")
    with pytest.raises(InvalidInput, match="Did you mean 'database'"):
        load_settings(environment=NOTHING, start=project)


def test_the_root_folder_is_no_setting(project: Path) -> None:
    (project / "flyball.toml").write_text('root = "x"', encoding="utf-8")
    with pytest.raises(InvalidInput, match="no setting"):
        load_settings(environment=NOTHING, start=project)


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe"])
def test_a_broken_file_is_told(content: bytes, project: Path) -> None:
    (project / "flyball.toml").write_bytes(content)
    with pytest.raises(InvalidInput, match="not readable as TOML"):
        load_settings(environment=NOTHING, start=project)


def test_another_process_gets_the_same_settings(project: Path) -> None:
    flags = {"clock": "virtual", "port": 9, "workspace": "elsewhere", "objects": "s3://bucket", "log_level": "debug"}
    settings = load_settings(flags, environment=NOTHING, start=project)
    handed_on = as_environment(settings)
    assert load_settings(environment=handed_on, start=project) == settings
    from_another_folder = load_settings(environment=handed_on, start=project.parent)
    assert dataclasses.replace(from_another_folder, root=project) == settings


def test_the_signing_key_counts_from_where_it_is_named_and_may_be_none(project: Path) -> None:
    (project / "flyball.toml").write_text('signing_key = "keys/ada.key"\n', encoding="utf-8")
    below = project / "sub" / "folder"
    assert load_settings(environment=NOTHING, start=below).signing_key == str(project / "keys" / "ada.key")
    assert load_settings({"signing_key": "ada.key"}, environment=NOTHING, start=below).signing_key == str(
        below / "ada.key"
    )
    (project / "flyball.toml").write_text('signing_key = ""\n', encoding="utf-8")
    assert load_settings(environment=NOTHING, start=below).signing_key == ""


def test_another_process_looks_a_project_up_anew(project: Path) -> None:
    home = load_settings(environment=NOTHING, start=project)
    own = dataclasses.replace(home, project="risk", workspace=home.workspace / "projects" / "risk", home=home)
    assert own.folder == own.workspace == dataclasses.replace(home, project="risk").folder
    given = as_environment(own)
    assert (given["FLYBALL_PROJECT"], given["FLYBALL_WORKSPACE"]) == ("risk", str(home.workspace))


@pytest.mark.parametrize("name", ["Risk", "..", "a/b", "-x", "x" * 51, "a b"])
def test_what_cannot_be_a_folder_and_a_schema_everywhere_is_no_name_of_a_project(name: str, project: Path) -> None:
    with pytest.raises(InvalidInput, match="name of a project"):
        load_settings({"project": name}, environment=NOTHING, start=project)
