"""Model files that would do harm when they are read, in all disguises; and those of honest libraries, which pass."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import pickle
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path
from typing import Any

import pytest

from flyball.models.scanning import is_allowed, scan_file


class Harmful:
    """Calls a function when it is read back."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


EVIL = pickle.dumps(Harmful(os.system, "true"))


def zipped(members: dict[str, bytes], *, compress: bool = True) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(name: str, data: bytes = b"x", *, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        about = tarfile.TarInfo(name)
        about.type, about.linkname, about.size = kind, link, len(data) if kind == tarfile.REGTYPE else 0
        archive.addfile(about, io.BytesIO(data))
    return out.getvalue()


def npy(payload: bytes) -> bytes:
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + payload


def by_text(module: str, name: str) -> bytes:
    """A pickle that names something by two texts."""
    parts = [b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name)]
    return b"\x80\x04" + b"".join(parts) + b"\x93)R."


def decoyed() -> bytes:
    """The texts that were seen last are harmless, and are taken away again before the name is looked up."""
    texts = [b"\x8c" + bytes([len(text)]) + text for text in (b"os", b"system", b"sklearn.svm", b"SVC")]
    return b"\x80\x04" + texts[0] + texts[1] + texts[2] + b"0" + texts[3] + b"0" + b"\x93\x8c\x04true\x85R."


def joblibbed(tmp: io.BytesIO, compress: Any = 0) -> bytes:
    import joblib  # type: ignore[import-untyped]  # it has none
    import numpy as np

    joblib.dump([np.arange(1000.0), Harmful(os.system, "true")], tmp, compress=compress)
    return tmp.getvalue()


MALICIOUS: dict[str, Callable[[], bytes]] = {
    **{f"protocol-{n}": partial(pickle.dumps, Harmful(os.system, "true"), protocol=n) for n in range(6)},
    "subprocess": lambda: pickle.dumps(Harmful(subprocess.check_output, ["true"])),
    "eval": lambda: pickle.dumps(Harmful(eval, "1")),
    "getattr": lambda: by_text("builtins", "getattr"),
    "import": lambda: by_text("importlib", "import_module"),
    "runpy": lambda: by_text("runpy", "run_path"),
    "pty": lambda: by_text("pty", "spawn"),
    "timeit": lambda: by_text("timeit", "timeit"),
    "pip": lambda: by_text("pip", "main"),
    "pydoc": lambda: by_text("pydoc", "pipepager"),
    "bdb": lambda: by_text("bdb", "Bdb"),
    "code": lambda: by_text("types", "CodeType"),
    "operator": lambda: by_text("operator", "attrgetter"),
    "numpy-runstring": lambda: by_text("numpy.testing._private.utils", "runstring"),
    "numpy-memmap": lambda: by_text("numpy", "memmap"),
    "numpy-load": lambda: by_text("numpy", "load"),
    "pandas-pickle": lambda: by_text("pandas", "read_pickle"),
    "pandas-excel": lambda: by_text("pandas", "ExcelWriter"),
    "torch-load": lambda: by_text("torch", "load"),
    "torch-hub": lambda: by_text("torch.hub", "load"),
    "cloudpickle": lambda: by_text("cloudpickle.cloudpickle", "_make_function"),
    "dill": lambda: by_text("dill._dill", "_create_function"),
    "nested-pickle": lambda: by_text("pickle", "loads"),
    "dotted": lambda: by_text("sklearn.svm", "SVC.__init__.__globals__"),
    "marshal": lambda: by_text("marshal", "loads"),
    "decoy": decoyed,
    "extension": lambda: b"\x80\x02\x82\x01)R.",
    "instance": lambda: b"(S'true'\nios\nsystem\n.",
    "second-of-two": lambda: pickle.dumps({"a": 1}) + EVIL,
    "broken-after": lambda: EVIL[:-1] + b"\xff\xff\xff",
    "gzip": lambda: gzip.compress(EVIL),
    "zlib": lambda: zlib.compress(EVIL),
    "bz2": lambda: bz2.compress(EVIL),
    "xz": lambda: lzma.compress(EVIL),
    "lzma": lambda: lzma.compress(EVIL, format=lzma.FORMAT_ALONE),
    "gzip-twice": lambda: gzip.compress(gzip.compress(EVIL)),
    "gzip-second-member": lambda: gzip.compress(b"") + gzip.compress(EVIL),
    "wrapped-without-end": lambda: reduce(lambda data, _: gzip.compress(data), range(9), EVIL),
    "joblib": lambda: joblibbed(io.BytesIO()),
    "joblib-zlib": lambda: joblibbed(io.BytesIO(), 3),
    "joblib-gzip": lambda: joblibbed(io.BytesIO(), ("gzip", 3)),
    "joblib-lzma": lambda: joblibbed(io.BytesIO(), ("lzma", 3)),
    "npy": lambda: npy(EVIL),
    "npz": lambda: zipped({"a.npy": npy(EVIL)}),
    "torch-zip": lambda: zipped({"archive/data.pkl": EVIL, "archive/version": b"3"}, compress=False),
    "zip-behind-a-head": lambda: b"safetensors" + zipped({"data.pkl": EVIL}),
    "tar": lambda: tarred("model.pkl", EVIL),
    "tar-gz": lambda: gzip.compress(tarred("model.pkl", EVIL)),
    "zip-slip": lambda: zipped({"../../etc/cron.d/x": b"x"}),
    "zip-slip-windows": lambda: zipped({"..\\..\\x": b"x"}),
    "zip-absolute": lambda: zipped({"/etc/passwd": b"x"}),
    "zip-drive": lambda: zipped({"C:/x": b"x"}),
    "tar-slip": lambda: tarred("../x"),
    "tar-absolute": lambda: tarred("/etc/x"),
    "tar-link": lambda: tarred("x", kind=tarfile.SYMTYPE, link="/etc/passwd"),
    "tar-hard-link": lambda: tarred("x", kind=tarfile.LNKTYPE, link="../x"),
    "tar-device": lambda: tarred("x", kind=tarfile.CHRTYPE),
    "gzip-bomb": lambda: bomb(),
    "zip-bomb": lambda: zipped({"x": bytes(80 << 20)}),
    "nested-bomb": lambda: zipped({"inner.zip": zipped({"x": bytes(80 << 20)})}),
    "keras-lambda": lambda: zipped({"config.json": b'{"layers": [{"class_name": "Lambda", "config": {}}]}'}),
    "program": lambda: b"\x7fELF\x02\x01\x01" + bytes(100),
}  # fmt: skip


def bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(16 << 20)
    return b"".join([*(packer.compress(block) for _ in range(5)), packer.flush()])


@pytest.mark.parametrize("name", sorted(MALICIOUS))
def test_what_would_do_harm_is_found(name: str) -> None:
    # An honest name, as a disguise.
    assert scan_file("model.onnx", MALICIOUS[name]())


def test_a_link_in_a_zip_is_found() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        about = zipfile.ZipInfo("x")
        about.external_attr = 0o120777 << 16
        archive.writestr(about, "/etc/passwd")
    assert [each.what for each in scan_file("model.zip", out.getvalue())] == ["it is a link"]


def honest() -> dict[str, Any]:
    import numpy as np
    import pandas as pd
    from sklearn.cluster import KMeans
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.decomposition import PCA
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        IsolationForest,
        RandomForestClassifier,
        StackingClassifier,
    )  # fmt: skip
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
    from sklearn.svm import SVC

    rng = np.random.default_rng(0)
    x, y = rng.random((60, 3)), rng.integers(0, 2, 60)
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(d=pd.Categorical(["u", "v"] * 30))
    onehot = make_column_transformer((OneHotEncoder(), ["d"]), remainder="passthrough")
    models = [
        LogisticRegression(), SGDClassifier(), GaussianNB(), KNeighborsClassifier(), SVC(), MLPClassifier(max_iter=5),
        GradientBoostingClassifier(n_estimators=3), HistGradientBoostingClassifier(max_iter=3), RandomForestClassifier(3),
        IsolationForest(n_estimators=3), KMeans(2), PCA(2), GaussianProcessRegressor(),
        make_pipeline(StandardScaler(), FunctionTransformer(np.exp), LogisticRegression()),
        StackingClassifier([("a", GaussianNB())]),
    ]  # fmt: skip
    fitted = {type(model).__name__ + str(place): model.fit(x, y) for place, model in enumerate(models)}
    fitted["mixed"] = make_pipeline(onehot, HistGradientBoostingClassifier(max_iter=3)).fit(frame, y)
    by_type = make_column_transformer((OneHotEncoder(), make_column_selector(dtype_include="category")))
    fitted["chosen by type"] = make_pipeline(by_type, LogisticRegression()).fit(frame, y)
    fitted["categories of its own"] = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype").fit(
        frame, y
    )
    fitted["text"] = TfidfVectorizer().fit(["a good day", "a bad day"])
    fitted["frame"] = frame
    fitted["dates"] = pd.DataFrame({"t": pd.date_range("2024-01-01", periods=3, tz="UTC"), "s": ["os", "system", "x"]})
    return fitted


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_estimator_of_scikit_learn_passes() -> None:
    import numpy as np
    from sklearn.utils import all_estimators

    rng = np.random.default_rng(0)
    x, y = rng.random((40, 3)), rng.integers(0, 2, 40)
    passed = 0
    for name, kind in all_estimators():
        try:
            model = kind()
        except TypeError:
            continue  # it wants arguments
        with contextlib.suppress(Exception):  # some want other data; they are looked at as they are
            model.fit(x, y)
        assert [each.what for each in scan_file(f"{name}.pickle", pickle.dumps(model))] == [], name
        passed += 1
    assert passed > 150


@pytest.mark.filterwarnings("ignore")
def test_honest_models_pass() -> None:
    import joblib

    for name, model in honest().items():
        for protocol in (2, 4, 5):
            assert scan_file(name, pickle.dumps(model, protocol=protocol)) == [], name
        packed = io.BytesIO()
        joblib.dump(model, packed, compress=3)
        assert scan_file(name, packed.getvalue()) == [], name
        packed = io.BytesIO()
        joblib.dump(model, packed)
        assert scan_file(name, packed.getvalue()) == [], name


def test_boosters_pass() -> None:
    import lightgbm
    import numpy as np
    import xgboost

    x, y = np.random.default_rng(0).random((50, 3)), np.arange(50) % 2
    for model in (xgboost.XGBClassifier(n_estimators=2), lightgbm.LGBMClassifier(n_estimators=2, verbose=-1)):
        assert scan_file("booster", pickle.dumps(model.fit(x, y))) == []


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\x00" * 2000, b"PAR1" + bytes(100), b"plain text\n" * 50, bytes(range(256)) * 20]
)
def test_what_is_no_pickle_passes(data: bytes) -> None:
    assert scan_file("file", data) == []


def test_graphs_and_plain_arrays_pass(tmp_path: Path) -> None:
    import numpy as np
    from onnx import TensorProto, helper

    node = helper.make_node("Add", ["x", "x"], ["y"])
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 2]) for name in "xy"]
    graph = helper.make_model(helper.make_graph([node], "g", tensors[:1], tensors[1:]))
    assert scan_file("model.onnx", graph.SerializeToString()) == []
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(1000.0), b=np.array(["x", "O"]))
    assert scan_file("a.npz", (tmp_path / "a.npz").read_bytes()) == []


@pytest.mark.parametrize(
    ("named", "allowed"),
    [
        ("mypackage.steps:Cleaner", True), ("mypackage.steps:clean", False), ("os:path", False), ("__main__:Model", False),
        ("numpy:ndarray", True), ("numpy._core.multiarray:_reconstruct", True), ("numpy:fromfile", False),
        ("collections:OrderedDict", True), ("builtins:eval", False), ("builtins:set", True), ("posix:system", False),
    ],
)  # fmt: skip
def test_names_are_judged_by_what_they_are(named: str, allowed: bool) -> None:
    assert is_allowed(named) is allowed
