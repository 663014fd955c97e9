from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flyball.cli.group import invoke

Run = Any


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in a folder of its own; gives the exit code and what was printed."""
    monkeypatch.chdir(tmp_path)
    for name in ("FLYBALL_URL", "FLYBALL_WORKSPACE", "FLYBALL_DATABASE"):
        monkeypatch.delenv(name, raising=False)

    def call(*words: str) -> tuple[int, str, str]:
        code = invoke(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return call


def told(run: Run, *words: str) -> Any:
    code, out, err = run(*words, "--json")
    assert code == 0, err
    return json.loads(out)


@pytest.fixture
def mood(run: Run, tmp_path: Path) -> Run:
    (tmp_path / "reviews").mkdir()
    for number in range(3):
        (tmp_path / "reviews" / f"r{number}.txt").write_text(f"Review {number}")
    told(run, "data", "snapshot", "reviews", "reviews")
    told(run, "labels", "create", "mood", "--task", "classify", "--items", "text", "--class", "good", "--class", "bad")
    assert told(run, "labels", "add", "mood", "reviews") == {"added": 3}
    return run


def test_a_text_folder_is_labelled_by_keys_at_the_terminal(mood: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("1\nx\nu\n2\ns\nq\n"))
    code, out, _ = mood("labels", "work", "mood", "--as", "ann")
    assert code == 0
    assert "Review 0" in out
    assert "'x' is no class" in out
    assert [(e["item"], e["value"]) for e in told(mood, "labels", "show", "mood")] == [("r0.txt", "bad")]
    assert [e["value"] for e in told(mood, "labels", "history", "mood")] == ["good", None, "bad"]
    assert told(mood, "labels", "progress", "mood")["skipped"] == 1


def test_labels_go_out_and_into_another_set(mood: Run, tmp_path: Path) -> None:
    told(mood, "labels", "set", "mood", "r0.txt", "good", "--as", "ann", "--confidence", "0.9")
    told(
        mood, "labels", "create", "other", "--task", "classify", "--items", "text", "--class", "good", "--class", "bad"
    )
    for name in ("out.json", "out.csv"):
        told(mood, "labels", "export", "mood", name)
    assert told(mood, "labels", "import", "other", "out.json")["labels"] == 1
    assert told(mood, "labels", "import", "other", "out.csv")["labels"] == 0
    assert (tmp_path / "out.csv").read_text().startswith("item,label,annotator")


def test_a_queue_is_handed_out_in_order_and_a_label_taken_back(mood: Run) -> None:
    told(mood, "labels", "order", "mood", "--by", "random", "--seed", "1")
    (item,) = told(mood, "labels", "next", "mood", "--as", "ann")
    told(mood, "labels", "set", "mood", item["key"], "good", "--as", "ann")
    assert told(mood, "labels", "undo", "mood", "--as", "ann")["key"] == item["key"]


def test_the_book_is_a_snapshot(mood: Run) -> None:
    told(mood, "labels", "set", "mood", "r0.txt", "good", "--as", "ann")
    assert told(mood, "labels", "snapshot", "mood")["rows"] == 1
    assert told(mood, "catalog", "search", "labels mood")[0]["ref"] == "datasets:/labels-mood"


def test_a_wrong_answer_is_a_user_s_mistake(mood: Run) -> None:
    code, _, err = mood("labels", "set", "mood", "r0.txt", "god", "--as", "ann")
    assert code == 2
    assert "Did you mean 'good'" in err


@pytest.mark.parametrize("words", [("labels", "list"), ("labels", "agreement", "mood"), ("labels", "config", "mood"),
                                   ("labels", "secret", "mood"), ("labels", "remove", "mood", "--yes")], ids=" ".join)  # fmt: skip
def test_people_read_tables_and_sentences(mood: Run, words: tuple[str, ...]) -> None:
    code, out, _ = mood(*words)
    assert code == 0
    assert out.strip()


def test_the_catalog_by_commands(mood: Run) -> None:
    told(mood, "catalog", "describe", "reviews", "--text", "What people wrote", "--link", "wiki=https://example.org")
    told(mood, "catalog", "own", "reviews", "ann")
    told(mood, "catalog", "tag", "reviews", "team=shop")
    entry = told(mood, "catalog", "show", "reviews")
    assert (entry["owner"], entry["tags"], entry["links"]) == ("ann", {"team": "shop"}, {"wiki": "https://example.org"})
    assert told(mood, "catalog", "tag", "reviews", "team", "--remove")["tags"] == {}
    asked = told(mood, "catalog", "access", "request", "reviews", "bob")
    assert told(mood, "catalog", "access", "grant", asked["id"], "--by", "ann")["state"] == "granted"
    assert told(mood, "catalog", "access", "list", "reviews")[0]["who"] == "bob"
    assert told(mood, "catalog", "usage", "reviews") == []
    assert told(mood, "catalog", "rebuild")["entries"] == 1


def test_lineage_is_drawn_as_a_tree(mood: Run, tmp_path: Path) -> None:
    event = {
        "eventType": "COMPLETE", "eventTime": "2026-03-01T10:00:00Z", "producer": "https://example.org",
        "run": {"runId": "3f5e83fa-3480-44ff-99c5-ff943904e5e8"}, "job": {"namespace": "etl", "name": "load"},
        "inputs": [{"namespace": "s3://lake", "name": "raw"}], "outputs": [{"namespace": "flyball://x", "name": "reviews"}],
    }  # fmt: skip
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n")
    assert told(mood, "openlineage", "import", "events.jsonl") == {"taken": 1, "wrong": []}
    _, out, _ = mood("catalog", "lineage", "reviews")
    assert out.splitlines() == [
        "datasets:/reviews",
        "└─ jobs:/etl/load  (wrote)",
        "   └─ external:/s3%3A%2F%2Flake/raw  (read_by)",
    ]
    assert told(mood, "catalog", "jobs")[0]["state"] == "complete"


def test_a_bad_line_of_events_is_named(mood: Run, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text('{"x": 1}\n')
    code, out, err = mood("openlineage", "import", "events.jsonl")
    assert code == 2
    assert "line 1" in out
    assert "no events" in err


def test_sending_without_an_address_says_what_to_set(mood: Run) -> None:
    code, _, err = mood("openlineage", "send")
    assert code == 2
    assert "openlineage" in err


def test_personal_data_is_masked_in_what_is_shown(run: Run, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("id,mail,nick\n1,ann@example.org,annie\n")
    told(run, "data", "snapshot", "customers", "c.csv")
    told(run, "catalog", "describe", "customers", "--column-pii", "nick=name")
    _, out, _ = run("catalog", "show", "customers")
    assert "ann@example.org" not in out
    assert "annie" not in out
    assert "<mail>" in out
