from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flyball.declarations import declare
from flyball.errors import Corrupt, InvalidInput, NotFound
from flyball.pipelines.code_snapshot import checkout_code, load_project, snapshot_code
from flyball.serialization import canonical_json
from flyball.storage.objects import Blobs


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_code_comes_back_as_it_was(tmp_path: Path, blobs: Blobs) -> None:
    write(tmp_path / "a", project_py="x = 1\n", inner__deep_py="y = 2\n")
    snapshot = snapshot_code(tmp_path / "a", blobs)
    checkout_code(snapshot.digest, blobs, tmp_path / "b")
    assert (tmp_path / "b" / "inner" / "deep.py").read_text() == "y = 2\n"
    assert snapshot_code(tmp_path / "b", blobs) == snapshot


def test_only_code_is_kept(tmp_path: Path, blobs: Blobs) -> None:
    kept = ["project.py", "flyball.toml", "query.sql", "notes.txt", "study.ipynb", "data/__init__.py", "src/data.py"]
    left_out = [
        "model.bin", ".env", ".hidden/a.py", "__pycache__/a.py", "venv/a.py", "outputs/data/a.txt", "own/pyvenv.cfg",
        "own/a.py", "ignored.txt", "secret/a.py", "logs/deep/a.txt",
    ]  # fmt: skip
    for name in kept + left_out:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "large.txt").write_bytes(b"x" * 5_000_001)
    (tmp_path / ".gitignore").write_text("# a comment\nignored.txt\nsecret/\nlogs/deep/*.txt\n")
    assert sorted(snapshot_code(tmp_path, blobs).files) == sorted(kept)


def test_what_git_ignores_is_left_out(tmp_path: Path, blobs: Blobs) -> None:
    write(tmp_path, project_py="", inner__kept_py="", inner__left_py="")
    (tmp_path / "inner" / ".gitignore").write_text("*\n!kept.py\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert sorted(snapshot_code(tmp_path, blobs).files) == ["inner/kept.py", "project.py"]


def test_a_second_checkout_changes_nothing(tmp_path: Path, blobs: Blobs) -> None:
    write(tmp_path / "a", project_py="x = 1\n")
    digest = snapshot_code(tmp_path / "a", blobs).digest
    checkout_code(digest, blobs, tmp_path / "b")
    before = (tmp_path / "b" / "project.py").stat().st_mtime_ns
    checkout_code(digest, blobs, tmp_path / "b")
    assert (tmp_path / "b" / "project.py").stat().st_mtime_ns == before


def test_a_folder_with_something_else_is_not_overwritten(tmp_path: Path, blobs: Blobs) -> None:
    write(tmp_path / "a", project_py="x = 1\n")
    write(tmp_path / "b", other_py="")
    with pytest.raises(InvalidInput):
        checkout_code(snapshot_code(tmp_path / "a", blobs).digest, blobs, tmp_path / "b")


@pytest.mark.parametrize("name", ["../up.py", "/etc/up.py", "a/../../up.py"])
def test_code_cannot_be_written_outside_of_its_folder(tmp_path: Path, blobs: Blobs, name: str) -> None:
    digest = blobs.put(canonical_json({name: blobs.put(b"x")}))
    with pytest.raises(Corrupt):
        checkout_code(digest, blobs, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_code_that_is_not_kept_is_not_found(tmp_path: Path, blobs: Blobs) -> None:
    with pytest.raises(NotFound):
        checkout_code("0" * 64, blobs, tmp_path / "b")


def test_a_project_gives_its_pipelines_and_declarations(tmp_path: Path) -> None:
    text = (
        "import flyball as fb\nfrom flyball.declarations import declare\nfrom inner import other\n"
        "@fb.pipeline\ndef main():\n    pass\ndeclare('one')\ndeclare('two')\n"
    )
    write(
        tmp_path,
        project_py=text,
        inner_py="import flyball as fb\n@fb.pipeline(name='second')\ndef other():\n    pass\n",
    )
    project = load_project(tmp_path, "project.py")
    assert sorted(project.pipelines) == ["main", "second"]
    assert project.declarations == ["one", "two"]


def test_outside_of_a_load_a_declaration_goes_nowhere() -> None:
    declare("nothing")


def test_a_project_that_is_loaded_again_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, project_py="from inner import x\n", inner_py="x = 1\n")
    assert load_project(tmp_path, "project.py").module.x == 1
    write(tmp_path, inner_py="x = 2\n")
    assert load_project(tmp_path, "project.py").module.x == 2


def test_two_projects_do_not_see_each_other(tmp_path: Path) -> None:
    write(tmp_path / "a", project_py="import inner\n", inner_py="x = 1\n")
    write(tmp_path / "b", project_py="import inner\n", inner_py="x = 2\n")
    assert load_project(tmp_path / "a", "project.py").module.inner.x == 1
    assert load_project(tmp_path / "b", "project.py").module.inner.x == 2
    assert str(tmp_path / "a") not in sys.path


def test_a_file_named_like_a_library_is_loaded_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, json_py="x = 1\n")
    assert load_project(tmp_path, "json.py").module.x == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ny = nothing\n", r"project\.py:2: NameError: name 'nothing' is not defined"),
        ("x = = 1\n", r"project\.py:1: SyntaxError: invalid syntax"),
        ("x = 1\nimport inner\n", r"inner\.py:3: ValueError: bad"),
        ("import no_such_library\n", r"project\.py:1: ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", r"project\.py:2: SystemExit: 3"),
        ("import flyball as fb\n\nfb.nothing\n", r"project\.py:3: AttributeError"),
    ],
)
def test_a_fault_in_a_project_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, project_py=text, inner_py="\n\nraise ValueError('bad')\n")
    with pytest.raises(InvalidInput, match=said):
        load_project(tmp_path, "project.py")


def test_a_project_without_its_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"There is no project\.py"):
        load_project(tmp_path, "project.py")
