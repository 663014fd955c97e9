"""Steps that are commands."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pyarrow as pa
import pytest

import flyball as fb
from flyball.errors import InvalidInput, TimedOut, WorkFailed
from tests.pipelines.conftest import ProjectFolder, Services

AWK = """
import flyball as fb
import pyarrow as pa

@fb.step
def rows() -> fb.Table:
    return fb.Table(pa.table({"carrier": ["UA", "B6", "UA"], "delay": [5, 7, 11]}))

total = fb.command("sh total.sh {inputs.rows.csv} {params.carrier} {outputs.total.txt}")

@fb.step
def read(total) -> int:
    return int(total.read_text())

@fb.pipeline
def main(carrier: str = "UA"):
    return read(total(rows(), carrier))
"""
SCRIPT = 'awk -F, -v c="\\"$2\\"" \'$1 == c { s += $2 } END { print s }\' "$1" > "$3"; echo "added up for $2"\n'


@pytest.fixture
def project(services: Services) -> ProjectFolder:
    folder = ProjectFolder(services.project_root, services)
    folder.write("project.py", AWK)
    folder.write("total.sh", SCRIPT)
    return folder


def test_a_command_takes_a_table_and_gives_a_file(project: ProjectFolder) -> None:
    result = project.run()
    assert result.value() == 16
    assert project.states == {"rows": "finished", "total": "finished", "read": "finished"}


def test_what_a_command_gave_is_taken_again(project: ProjectFolder) -> None:
    project.run()
    assert project.run().value() == 16
    assert set(project.states.values()) == {"cached"}


def test_a_changed_script_runs_again_and_is_named(project: ProjectFolder) -> None:
    project.run()
    project.edit("total.sh", "s += $2", "s += 2 * $2")
    assert project.run().value() == 32
    assert project.reasons["total"] == "`total.sh` changed"


def test_a_changed_command_runs_again_and_is_told(project: ProjectFolder) -> None:
    project.run()
    project.edit("project.py", '"sh total.sh', '"sh -e total.sh')
    project.run()
    assert project.reasons["total"].startswith("parameter 'command' went from \"sh total.sh")


def test_a_changed_param_runs_again(project: ProjectFolder) -> None:
    project.run()
    assert project.run(carrier="B6").value() == 7
    assert project.reasons["total"] == 'parameter \'carrier\' went from "UA" to "B6"'


def test_what_it_prints_is_the_log_of_its_run(project: ProjectFolder) -> None:
    result = project.run()
    tracking = project.services.tracking
    [run] = [run for run in tracking.list_runs(parent=result.run.id) if run.name == "total"]
    [log] = [kept for kept in tracking.list_artifacts(run.id) if kept.name == "log.txt"]
    assert project.services.blobs.get(log.digest) == b"added up for UA\n"


def test_its_files_are_gone_when_the_run_has_ended(
    project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    project.run()
    assert not list(tmp_path.glob("flyball-step-*"))


def test_a_command_that_fails_says_what_it_last_said(project: ProjectFolder) -> None:
    project.write("total.sh", "echo no such carrier >&2; exit 3\n")
    with pytest.raises(WorkFailed, match=r"(?s)exit code 3.*no such carrier"):
        project.run()


def test_a_command_that_does_not_write_its_output_fails(project: ProjectFolder) -> None:
    project.write("total.sh", "exit 0\n")
    with pytest.raises(WorkFailed, match=r"did not write \{outputs.total.txt\}"):
        project.run()


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(project: ProjectFolder) -> None:
    project.edit("project.py", '{outputs.total.txt}"', '{outputs.total.txt}", timeout=0.5')
    project.write("total.sh", f"sleep 60 & echo $! > {project.root / 'pid'}; wait\n")
    with pytest.raises(TimedOut):
        project.run()
    pid = int((project.root / "pid").read_text())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_outside_of_a_pipeline_a_command_just_runs() -> None:
    assert fb.command("echo {params.word}")("hello") == "hello"


def test_several_outputs_are_a_tuple() -> None:
    both = fb.command(["sh", "-c", "echo a > $0; echo b > $1", "{outputs.first.txt}", "{outputs.second.txt}"])
    first, second = both()
    assert (first.read_text(), second.read_text()) == ("a\n", "b\n")
    assert both.parts == 2


def test_a_file_keeps_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "model.rds").write_bytes(b"model")
    assert fb.command("echo {inputs.model}")(tmp_path / "model.rds").endswith("/model.rds")


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_a_table_is_written_as_the_suffix_says(suffix: str) -> None:
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    text = str(fb.command(f"cat {{inputs.rows{suffix}}}")(table))
    if suffix == ".csv":
        assert text == '"a","b"\n1,"x"\n2,'
    else:
        rows = json.loads(text) if suffix == ".json" else [json.loads(line) for line in text.splitlines()]
        assert rows == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


def test_any_other_value_is_json() -> None:
    assert json.loads(fb.command("cat {inputs.settings}")({"depth": 3})) == {"depth": 3}


def test_texts_are_never_read_by_a_shell(tmp_path: Path) -> None:
    marked = tmp_path / "marked"
    assert fb.command("echo {params.text}")(f"a; touch {marked} $(touch {marked})").startswith("a; touch")
    assert not marked.exists()


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_another_language_reads_what_python_wrote() -> None:
    line = "const r = JSON.parse(require('fs').readFileSync(process.argv[1])); console.log(r.map(x => x.a + 1).join())"
    assert fb.command(["node", "-e", line, "{inputs.rows.json}"])(pa.table({"a": [1, 2]})) == "2,3"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", "A command is empty"),
        ("echo 'a", "cannot be split into words"),
        ("cat {inputs.}", r"The placeholder \{inputs.\} cannot be read"),
        ("cat {inputs", r"The placeholder \{inputs cannot be read"),
        ("cat {inputs.a.csv} {inputs.a.json}", "two suffixes"),
        ("cat {inputs.a} {params.a}", "an input and a param"),
        ("cat {params.command}", "No placeholder can be called 'command'"),
        ("cat {params.a.csv}", "has the suffix '.csv'"),
    ],
)
def test_a_command_that_cannot_be_read_is_refused(line: str, found: str) -> None:
    with pytest.raises(InvalidInput, match=found):
        fb.command(line)


@pytest.mark.parametrize(
    ("line", "value", "found"),
    [
        ("cat {inputs.a.csv}", 3, "cannot be written as '.csv'"),
        ("cat {inputs.a.xlsx}", pa.table({"a": [1]}), "cannot be written as '.xlsx'"),
        ("cat {inputs.a}", object(), "cannot be written as JSON"),
        ("cat {inputs.a}", Path("nowhere"), "There is no file 'nowhere'"),
        ("cat {params.a}", [1], "is a list"),
    ],
)
def test_a_value_that_cannot_be_handed_over_is_refused(line: str, value: object, found: str) -> None:
    with pytest.raises(InvalidInput, match=found):
        fb.command(line)(value)


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(InvalidInput, match="missing a required argument: 'word'"):
        fb.command("echo {params.word}")()


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(WorkFailed, match="cannot run 'no-such-program'"):
        fb.command("no-such-program")()


def test_the_name_is_that_of_the_script() -> None:
    assert fb.command("Rscript models/train.R {inputs.rows}").name == "train"
    assert fb.command("make all").name == "make"
    assert fb.command("make all", name="build").name == "build"


def test_the_project_is_on_the_path_of_python(project: ProjectFolder) -> None:
    project.write("helper.py", "print('helped')\n")
    project.write(
        "project.py",
        AWK + '\n\nhelp = fb.command("python -m helper")\n\n\n@fb.pipeline\ndef helped():\n    return help()\n',
    )
    assert project.run("helped").value() == "helped"
