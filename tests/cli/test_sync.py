"""`flyball sync` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import flyball as fb
from flyball import session
from flyball.cli.group import invoke
from flyball.tracking import records
from flyball.tracking.spool import Header, Spool, new_header

BEGUN = {"experiment": "prices", "started": 1_700_000_000_000_000}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One stands in an empty folder."""
    for name in ("URL", "WORKSPACE", "RUN"):
        monkeypatch.delenv(f"FLYBALL_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "_opened", {})
    return tmp_path


def leave(folder: Path, *payloads: bytes, header: Header | None = None) -> None:
    spool = Spool(folder / ".flyball" / "spool", header or new_header())
    for payload in payloads:
        spool.append(payload)
    spool.close()


def test_what_was_left_is_sent(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leave(folder, records.create("dead", BEGUN, again=False), records.points("dead", 5, 0, {"loss": 0.5}))
    assert invoke(["sync"]) == 0
    assert "processes sent:" in capsys.readouterr().out
    assert fb.connect().tracking.get_run("dead").metrics == {"loss": 0.5}


def test_runs_that_other_processes_begin_come_in_any_order(folder: Path) -> None:
    leave(folder, records.points("shared", 5, 0, {"theirs": 0.5}))
    leave(folder, records.create("shared", BEGUN, again=False), records.points("shared", 5, 0, {"ours": 1.0}))
    assert invoke(["sync"]) == 0
    assert fb.connect().tracking.get_run("shared").metrics == {"ours": 1.0, "theirs": 0.5}


def test_what_is_refused_is_kept_and_can_be_tried_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leave(folder, records.points("unknown", 5, 0, {"loss": 0.5}))
    assert invoke(["sync", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["refused_and_kept"] == 1
    assert invoke(["sync"]) == 0
    assert "flyball sync --refused" in capsys.readouterr().out
    assert invoke(["sync", "--refused", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["refused_and_kept"] == 1
    fb.connect().tracking.create_run("prices", id="unknown")
    assert invoke(["sync", "--refused", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["refused_and_kept"] == 0
    assert fb.connect().tracking.get_run("unknown").metrics == {"loss": 0.5}


def test_what_belongs_elsewhere_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leave(folder, records.create("dead", BEGUN, again=False), header=Header(process="0dead", url="http://there:1"))
    assert invoke(["sync"]) == 0
    assert "--url http://there:1" in capsys.readouterr().out


def test_a_server_that_does_not_answer_leaves_all_as_it_is(folder: Path) -> None:
    leave(folder, records.create("dead", BEGUN, again=False), header=Header(process="0dead", url="http://127.0.0.1:9"))
    assert invoke(["sync", "--url", "http://127.0.0.1:9"]) == 5
    assert len(list((folder / ".flyball" / "spool").glob("*.spool"))) == 1
