"""Artifacts: files, folders, texts, figures, tables, images; listing, download, large files in parts, removal."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ["MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD"] = "true"
os.environ["MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE"] = str(6 << 20)
os.environ["MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE"] = str(5 << 20)

import mlflow
from checks import check, same
from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

client = MlflowClient()
experiment = mlflow.set_experiment("artifacts").experiment_id
run = client.create_run(experiment).info.run_id
folder = Path(tempfile.mkdtemp())


def listed(path: str | None = None) -> dict[str, int | None]:
    return {file.path: None if file.is_dir else file.file_size or 0 for file in client.list_artifacts(run, path)}


@check
def nothing_is_there_at_first() -> None:
    same(listed(), {})


@check
def a_file_goes_up_and_comes_back() -> None:
    (folder / "a.bin").write_bytes(bytes(range(256)) * 100)
    client.log_artifact(run, str(folder / "a.bin"))
    client.log_artifact(run, str(folder / "a.bin"), "deep/er")
    same(listed(), {"a.bin": 25600, "deep": None})
    same(listed("deep"), {"deep/er": None})
    same(listed("deep/er"), {"deep/er/a.bin": 25600})
    got = client.download_artifacts(run, "deep/er/a.bin", str(folder))
    same(Path(got).read_bytes(), (folder / "a.bin").read_bytes())


@check
def a_folder_goes_up_and_comes_back() -> None:
    source = folder / "tree"
    for name in ("x.txt", "y/z.txt", "y/w/é 猫 +&.txt", "empty.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("" if name == "empty.txt" else name)
    client.log_artifacts(run, str(source), "tree")
    same(listed("tree"), {"tree/empty.txt": 0, "tree/x.txt": 5, "tree/y": None})
    same(list(listed("tree/y/w")), ["tree/y/w/é 猫 +&.txt"])
    got = Path(mlflow.artifacts.download_artifacts(run_id=run, artifact_path="tree", dst_path=str(folder / "got")))
    same(
        {p.relative_to(got): p.read_bytes() for p in got.rglob("*") if p.is_file()},
        {p.relative_to(source): p.read_bytes() for p in source.rglob("*") if p.is_file()},
    )
    got = Path(mlflow.artifacts.download_artifacts(artifact_uri=f"runs:/{run}/tree/y/z.txt"))
    same(got.read_text(), "y/z.txt")


@check
def a_file_that_comes_again_takes_the_place_of_the_first() -> None:
    client.log_text(run, "one", "again.txt")
    client.log_text(run, "two, longer", "again.txt")
    same(listed()["again.txt"], 11)
    same(mlflow.artifacts.load_text(f"runs:/{run}/again.txt"), "two, longer")


@check
def texts_and_dictionaries() -> None:
    client.log_text(run, "<b>é</b>", "page/index.html")
    client.log_dict(run, {"a": [1, None, "é"]}, "d.json")
    client.log_dict(run, {"a": {"b": 1}}, "d.yaml")
    same(mlflow.artifacts.load_dict(f"runs:/{run}/d.json"), {"a": [1, None, "é"]})
    same(mlflow.artifacts.load_text(f"runs:/{run}/page/index.html"), "<b>é</b>")


@check
def figures_and_images() -> None:
    import matplotlib as mpl
    import numpy as np

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([1, 2])
    client.log_figure(run, figure, "figures/line.png")
    client.log_image(run, np.zeros((8, 8, 3), dtype=np.uint8), "black.png")
    with mlflow.start_run(run_id=run):
        mlflow.log_image(np.zeros((8, 8, 3), dtype=np.uint8), key="dogs", step=3)
    assert listed()["black.png"]
    same(mlflow.artifacts.load_image(f"runs:/{run}/black.png").size, (8, 8))
    assert any(name.startswith("images/dogs") for name in listed("images")), listed("images")


@check
def tables() -> None:
    client.log_table(run, {"q": ["a", "b"], "n": [1, 2]}, "table.json")
    client.log_table(run, {"q": ["c"], "n": [3]}, "table.json")
    found = mlflow.load_table("table.json", run_ids=[run])
    same(list(found["n"]), [1, 2, 3])
    assert "table.json" in client.get_run(run).data.tags["mlflow.loggedArtifacts"]


@check
def a_large_file_goes_up_in_parts() -> None:
    (folder / "large.bin").write_bytes(os.urandom(1 << 20) * 13)
    try:
        client.log_artifact(run, str(folder / "large.bin"), "large")
    finally:
        same(listed("large"), {"large/large.bin": 13 << 20})
    got = client.download_artifacts(run, "large/large.bin", str(folder / "got"))
    same(Path(got).read_bytes() == (folder / "large.bin").read_bytes(), True)


@check
def what_is_not_there_is_said_so() -> None:
    same(listed("nowhere"), {})
    try:
        mlflow.artifacts.download_artifacts(run_id=run, artifact_path="nowhere.txt", dst_path=str(folder))
    except Exception as error:  # noqa: BLE001  # the script looks at whatever it is
        assert "404" in str(error) or "nowhere" in str(error), str(error)
    else:
        raise AssertionError("not refused")


@check
def no_path_leads_out() -> None:
    for path in ("../x", "a/../../x", "/etc/passwd"):
        try:
            client.list_artifacts(run, path)
        except Exception as error:  # noqa: BLE001  # the script looks at whatever it is
            assert "INVALID_PARAMETER_VALUE" in str(error) or "Invalid path" in str(error), str(error)
        else:
            raise AssertionError(f"not refused: {path}")


@check
def they_are_removed() -> None:
    repository = get_artifact_repository(client.get_run(run).info.artifact_uri)
    repository.delete_artifacts("again.txt")
    assert "again.txt" not in listed()
    repository.delete_artifacts("tree")
    assert "tree" not in listed()
    same(listed()["a.bin"], 25600)


@check
def the_command_line_reads_them() -> None:
    from click.testing import CliRunner
    from mlflow.artifacts import download_artifacts  # noqa: F401  # whether it can be imported
    from mlflow.store.artifact.cli import commands

    done = CliRunner().invoke(commands, ["list", "--run-id", run])
    assert "a.bin" in done.output, done.output
    done = CliRunner().invoke(
        commands, ["download", "--run-id", run, "--artifact-path", "a.bin", "-d", str(folder / "cli")]
    )
    same((folder / "cli" / "a.bin").stat().st_size, 25600)
