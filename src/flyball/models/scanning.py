"""Looks into model files for what would do harm when they are read: without reading them as models, and without running anything.

Files are judged by what they hold, never by their names: pickles in any wrapping, archives that write outside of their folder or
grow without end, machine code. A pickle may name classes of libraries and what those need to be rebuilt; whatever else it names,
such as `os.system`, is found. What stands in a Python source file is not judged: it is code, and is said to be.

Source of the rules: pickle's own opcodes (`pickletools`), the gadgets that scanners by deny-list have missed, and the zip, tar and
joblib formats.
"""

from __future__ import annotations

import io
import pickletools
import re
import stat
import struct
import sys
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_MOST_UNPACKED = 8 << 30
_MOST_OF_ONE = 1 << 30
_WORST_RATIO = 500
_DEEPEST = 5
_MOST_MEMBERS = 100_000
_PIECE = 1 << 20

# Of the standard library only these, and never its functions that call, import, open or look things up.
_PLAIN = {
    "builtins": {
        "set", "frozenset", "slice", "range", "complex", "bytearray", "bytes", "object", "list", "dict", "tuple", "int", "float",
        "str", "bool", "Ellipsis", "NotImplemented",
    },
    "collections": {"OrderedDict", "defaultdict", "deque", "Counter", "ChainMap"},
    "copy_reg": {"_reconstructor"}, "copyreg": {"_reconstructor", "__newobj__", "__newobj_ex__"},
    "_codecs": {"encode"}, "codecs": {"encode"}, "datetime": {"datetime", "date", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"}, "fractions": {"Fraction"}, "uuid": {"UUID", "SafeUUID"}, "pathlib": {"PurePosixPath", "PosixPath"},
    "__builtin__": {"set", "frozenset", "slice", "object", "list", "dict", "tuple", "int", "float", "str", "bytes", "bytearray"},
    "functools": {"partial"}, "types": {"SimpleNamespace"}, "random": {"Random"}, "re": {"_compile"}, "zoneinfo": {"ZoneInfo"},
    "array": {"array", "_array_reconstructor"}, "itertools": {"count", "chain", "repeat"}, "math": {"exp", "log", "sqrt"},
}  # fmt: skip
_NUMPY = re.compile(
    r"(numpy(\.core|\._core)?(\.multiarray|\.numeric|\.numerictypes|\._multiarray_umath|\.umath|\.records)?:"
    r"(_reconstruct|scalar|_frombuffer|ndarray|dtype|recarray|record|ufunc|_ufunc_reconstruct|matrix|"
    r"bool_?|(u?int|float|complex)\d*_?|str_|bytes_|object_|void|datetime64|timedelta64|longdouble|intc|intp|uint|half|single|double|"
    r"exp|exp2|expm1|log|log2|log10|log1p|sqrt|square|sin|cos|tan|tanh|abs|absolute|maximum|minimum|add|multiply|sign|clip|mean|sum|"
    r"nan|inf|pi|longlong|ulonglong|generic|number|floating|integer|(float|int|uint|complex|str|bytes)(DType)?))"
    r"|numpy\.ma(\.core)?:(_mareconstruct|MaskedArray|MaskedConstant|mvoid)"
    r"|numpy\.(dtypes|polynomial\.\w+):[A-Z]\w*"
    r"|numpy\.random(\.\w+)?:(__\w+_ctor|__pyx_unpickle_\w+|RandomState|Generator|BitGenerator|SeedSequence|MT19937|PCG64|PCG64DXSM|Philox|SFC64)"
)
# Functions by which well-known libraries rebuild what they have pickled.
_REBUILDS = re.compile(
    r"(pandas\._libs\.\w+(\.\w+)?|pandas\.core\.\w+(\.\w+)*):(_?new_\w+|_new_\w+|_unpickle_\w+|__pyx_unpickle_\w+|_from_\w+)"
    r"|(sklearn|scipy|pandas|statsmodels|lightgbm|xgboost|catboost|flyball)(\.\w+)*:(__pyx_unpickle_\w+|newObj|_reconstruct\w*|_unpickle\w*)"
    r"|sklearn\.\w+(\.\w+)*:(_|CyH|Cy)\w+"
    # Functions that estimators are given as settings: scores, kernels, checks of arrays, choosers of columns.
    r"|sklearn\.(utils\.(validation|extmath)|compose|metrics|feature_selection|feature_extraction|gaussian_process|preprocessing|"
    r"decomposition|linear_model|neighbors|cluster|ensemble|tree|svm|impute|inspection|covariance)(\.\w+)*:"
    r"(?!(joblib|load|loads|dump|open|reduce|partial|delayed|attrgetter|methodcaller|itemgetter|getattr|import_module)$)[a-z]\w*"
    r"|scipy\.sparse(\.\w+)*:(cs[rc]|coo|bsr|dia|dok|lil)_(matrix|array)|scipy\._lib\.array_api_compat\.numpy\._aliases:asarray"
    r"|scipy\.special(\._ufuncs)?:(expit|logit|xlogy)|scipy\.stats\._distn_infrastructure:(rv_\w+)|scipy\.stats\._continuous_distns:\w+_gen"
    r"|torch\._utils:_rebuild_\w+|torch:(\w+Storage|Size|device|dtype|float32|float64|int64)|torch\.storage:\w*Storage"
    r"|pyarrow\.lib:(_restore_array|py_buffer|type_for_alias|chunked_array|_reconstruct_\w+|_rebuild_\w+|table|schema|field|\w+_)"
    r"|pyarrow\.types:\w+|torch\._tensor:_rebuild_\w+|joblib\.numpy_pickle:(NumpyArrayWrapper|NDArrayWrapper|ZNDArrayWrapper)|dateutil\.tz\.\w+:tz\w+|pytz(\.\w+)*:_\w+"
    r"|pandas\.core\.internals\.blocks:new_block"
)
# Classes among them that open files, run code, or whose making alone does harm.
_HARMFUL = re.compile(
    r"(.*\.)?(testing|_testing|io|f2py|distutils|setuptools|pip|conftest|tests?|externals|datasets|subprocess|ctypes|pdb|code)(\.\w+)*:.*"
    r"|numpy(\.\w+)*:(memmap|DataSource|load|save|fromfile|genfromtxt|vectorize)|.*:(ExcelWriter|HDFStore|ExcelFile|Popen|CDLL|PyDLL|Thread|Process|FunctionType|CodeType)"
    r"|(cloudpickle|dill|pickle|_pickle|marshal|shelve|runpy|IPython|webbrowser|idlelib|lib2to3|pydoc|bdb|asyncio|multiprocessing|concurrent)(\.\w+)*:.*"
    r"|(torch\.(hub|jit|serialization|utils|package|distributed|_dynamo|_inductor)|tensorflow|keras|jax|uvicorn|click)(\.\w+)*:.*"
    r"|requests(\.\w+)*:.*|urllib3(\.\w+)*:.*|pandas(\.\w+)*:(eval|read_\w+|query)|sqlalchemy(\.\w+)*:.*|flyball\.(?!models\.|model_search\.(transformers|forecasting):|evaluation\.group_thresholds:)\w+(\.\w+)*:.*"
)
_CLASS = re.compile(r"[A-Za-z_][\w.]*:_?[A-Z]\w*")
_STRINGS = frozenset(
    {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"}
)
_ARRAYS = frozenset({"joblib.numpy_pickle:NumpyArrayWrapper", "joblib.numpy_pickle:NDArrayWrapper"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_PUTS = frozenset({"MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"})
_NEUTRAL = frozenset({"PROTO", "FRAME"})
# Where a stream of opcodes cannot be followed: names of what does harm, as any protocol writes them.
_LOOSE = re.compile(
    rb"(?:c|\x8c.|X....|U.|T....|i)(os|posix|nt|subprocess|builtins|__builtin__|sys|runpy|pty|socket|importlib|shutil|commands|code|"
    rb"pickle|marshal|ctypes|webbrowser|asyncio|timeit|cProfile|profile|pdb|bdb|trace|idlelib|lib2to3|pip|operator|types|cloudpickle|dill|numpy.testing)"
    rb"(?:[\n.]|\x94|\x8c|X|q.|U)", re.DOTALL,
)  # fmt: skip
_CALLS = re.compile(
    rb"(system|popen|exec|eval|compile|getattr|__import__|import_module|spawn|run|call|check_output|Popen|open|loads?|attrgetter|"
    rb"methodcaller|CodeType|FunctionType|globals|breakpoint|interact|main|rmtree|remove|create_connection|CDLL)"
)
_MACHINE_CODE = (
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Why a file would do harm.

    Attributes:
        file: Its path, with that inside of archives behind exclamation marks.
        what: In a few words.
    """

    file: str
    what: str


class _Bomb(Exception):
    """Something unpacks to more than anybody wants."""


@dataclass(slots=True)
class _Budget:
    """What may still be unpacked."""

    left: int = _MOST_UNPACKED

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _Bomb


def scan_file(name: str, data: bytes) -> list[Finding]:
    """Why a model file would do harm, as far as can be told without reading it as a model; empty if nothing is found.

    Args:
        name: For the findings alone; files are judged by what they hold.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what looks like a pickle and is none
            return list(dict.fromkeys(_scan(name, data, 0, _Budget())))
    except _Bomb:
        return [Finding(file=name, what="it unpacks to far more than it holds")]
    except RecursionError:
        return [Finding(file=name, what="it is nested without end")]


def _scan(name: str, data: bytes, depth: int, budget: _Budget) -> Iterator[Finding]:
    if depth > _DEEPEST:
        yield Finding(file=name, what="it is wrapped too often to be looked into")
        return
    for magic, what in _MACHINE_CODE:
        if data.startswith(magic) and (magic != b"MZ" or data[60:64].count(0) >= 2):
            yield Finding(file=name, what=f"it is {what}")
    if name.endswith((".pyc", ".pyo")):
        yield Finding(file=name, what="it is compiled Python, which cannot be looked into")
    unpacked = _unpacked(data, budget)
    if unpacked is not None:
        yield from _scan(f"{name}!", unpacked, depth + 1, budget)
        return
    if zipfile.is_zipfile(io.BytesIO(data)):
        yield from _scan_zip(name, data, depth, budget)
    elif _is_tar(data):
        yield from _scan_tar(name, data, depth, budget)
    elif data.startswith(b"\x93NUMPY"):
        yield from _scan_npy(name, data)
        return
    if b'"class_name": "Lambda"' in data or b'"class_name":"Lambda"' in data:
        yield Finding(file=name, what="a Lambda layer of Keras holds compiled Python")
    yield from _scan_pickles(name, data)


def _unpacked(data: bytes, budget: _Budget) -> bytes | None:
    """What a compressed file holds; None if it is not compressed."""
    make = _decompressor(data)
    if make is None:
        return None
    found, rest = io.BytesIO(), data
    try:
        # Several streams may stand behind each other, and readers go on after the first one.
        for _ in range(1000):
            stream = make()
            _drain(stream, rest, found, len(data), budget)
            rest = getattr(stream, "unused_data", b"")
            if not rest or _decompressor(rest) is None:
                break
    except (zlib.error, OSError, EOFError, ValueError) as error:
        # What was unpacked before the damage would have been read, too.
        return found.getvalue() or (None if isinstance(error, zlib.error) else b"")
    except Exception as error:
        if type(error).__name__ != "LZMAError":
            raise
        return found.getvalue() or None
    return found.getvalue()


def _drain(stream: object, data: bytes, to: io.BytesIO, packed: int, budget: _Budget) -> None:
    decompress: Callable[[bytes, int], bytes] = stream.decompress  # type: ignore[attr-defined]  # whichever of three libraries
    piece = data
    while True:
        out = decompress(piece, _PIECE)
        budget.spend(len(out))
        to.write(out)
        if to.tell() > _MOST_OF_ONE or (to.tell() > 64 << 20 and to.tell() > packed * _WORST_RATIO):
            raise _Bomb
        piece = getattr(stream, "unconsumed_tail", b"")
        is_done = (
            getattr(stream, "eof", False)
            or (not out and not piece)
            or (getattr(stream, "needs_input", False) and not piece)
        )
        if is_done:
            return


def _decompressor(data: bytes) -> Callable[[], object] | None:
    import bz2
    import lzma

    if data.startswith(b"\x1f\x8b"):
        return lambda: zlib.decompressobj(31)
    if data[:1] == b"\x78" and len(data) > 2 and int.from_bytes(data[:2], "big") % 31 == 0:
        return lambda: zlib.decompressobj()
    if data.startswith(b"ZF") and b"\x78" in data[:40]:  # joblib's own old wrapping: a length, then zlib
        skipped = data.index(b"\x78")
        return None if skipped > 40 else lambda: _Skipping(skipped)
    if data.startswith(b"BZh"):
        return bz2.BZ2Decompressor
    if data.startswith((b"\xfd7zXZ\x00", b"\x5d\x00\x00")):
        return lzma.LZMADecompressor
    return None


class _Skipping:
    """Unpacks what stands behind a head."""

    def __init__(self, head: int) -> None:
        self._head = head
        self._stream = zlib.decompressobj()
        self.eof = False

    def decompress(self, data: bytes, most: int) -> bytes:
        out = self._stream.decompress(data[self._head :], most)
        self._head, self.eof = 0, self._stream.eof
        return out

    @property
    def unconsumed_tail(self) -> bytes:
        return self._stream.unconsumed_tail


def _is_tar(data: bytes) -> bool:
    if data[257:262] != b"ustar" and not (
        len(data) >= 512 and len(data) % 512 == 0 and data[:1] not in (b"\x80", b"\x00")
    ):
        return False
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:"):
            return True
    except (tarfile.TarError, ValueError, OSError, EOFError):
        return False


def _scan_zip(name: str, data: bytes, depth: int, budget: _Budget) -> Iterator[Finding]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        yield Finding(file=name, what="it is a damaged zip file")
        return
    if len(members) > _MOST_MEMBERS:
        raise _Bomb
    places: list[int] = []
    for member in members:
        place = f"{name}!{member.filename}"
        yield from _slips(place, member.filename)
        if stat.S_ISLNK(member.external_attr >> 16):
            yield Finding(file=place, what="it is a link")
        if member.flag_bits & 1:
            yield Finding(file=place, what="it is encrypted and cannot be looked into")
            continue
        if member.file_size > _MOST_OF_ONE or (
            member.file_size > 64 << 20 and member.file_size > member.compress_size * _WORST_RATIO
        ):
            raise _Bomb
        places.append(member.header_offset)
        if member.is_dir():
            continue
        try:
            with archive.open(member) as file:
                inside = file.read(_MOST_OF_ONE + 1)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, EOFError, ValueError):
            yield Finding(file=place, what="it cannot be unpacked")
            continue
        budget.spend(len(inside))
        if member.file_size < len(inside):
            raise _Bomb
        yield from _scan(place, inside, depth + 1, budget)
    if len(set(places)) < len(places):
        raise _Bomb  # members that overlap: the best-known bomb of all


def _scan_tar(name: str, data: bytes, depth: int, budget: _Budget) -> Iterator[Finding]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for count, member in enumerate(archive):
                if count > _MOST_MEMBERS or member.size > _MOST_OF_ONE:
                    raise _Bomb
                place = f"{name}!{member.name}"
                yield from _slips(place, member.name)
                if member.issym() or member.islnk():
                    yield Finding(file=place, what="it is a link")
                elif not (member.isfile() or member.isdir()):
                    yield Finding(file=place, what="it is a device")
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None:
                    inside = file.read()
                    budget.spend(len(inside))
                    yield from _scan(place, inside, depth + 1, budget)
    except (tarfile.TarError, ValueError, OSError, EOFError):
        yield Finding(file=name, what="it is a damaged tar file")


def _slips(place: str, name: str) -> Iterator[Finding]:
    parts = re.split(r"[\\/]", name)
    if name.startswith(("/", "\\", "~")) or ".." in parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
        yield Finding(file=place[:200], what="it would be written outside of its folder")


def _scan_npy(name: str, data: bytes) -> Iterator[Finding]:
    """An array of numbers is plain; one of objects is a pickle."""
    wide = data[6:7] >= b"\x02"
    size = int.from_bytes(data[8:12] if wide else data[8:10], "little")
    start = (12 if wide else 10) + size
    if b"O" in re.sub(rb"'(fortran_order|shape|descr)'", b"", data[:start]).replace(b"NUMPY", b""):
        yield from _scan_pickles(name, data[start:])


def _scan_pickles(name: str, data: bytes) -> Iterator[Finding]:
    """All pickles that stand behind each other at the start of a file; then, loosely, what cannot be followed."""
    place = 0
    for _ in range(10_000):
        if place >= len(data):
            return
        named, end, whole = _names(data, place)
        if end == place or (not whole and place and not named):
            break
        for each in named:
            if not is_allowed(each):
                yield Finding(file=name, what=f"its pickle names {each.replace(':', '.', 1)}")
        if not whole:
            break
        place = end
    # Joblib writes arrays between the opcodes, and damage does not keep a reader from what stands before it.
    if place < len(data) and (place or data[:1] in (b"\x80", b"c", b"(", b"}", b"]")):
        for match in _LOOSE.finditer(data, place):
            module = match[1].decode()
            after = data[match.end() - 1 : match.end() + 80]
            if _CALLS.search(after):
                yield Finding(file=name, what=f"its pickle seems to name {module}")
                return


def _names(data: bytes, start: int) -> tuple[list[str], int, bool]:
    """What a pickle names, as `module:name`; where it ends, and whether it came to its end."""
    found: list[str] = []
    texts: list[
        str
    ] = []  # those that were pushed last, one directly behind the other; nothing else stands on top of them
    memo: dict[object, str] = {}
    stream, end = io.BytesIO(data), start
    stream.seek(start)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            kind = opcode.name
            if kind in _STRINGS:
                texts.append(str(argument))
            elif kind in _GETS:
                texts.append(memo.get(argument, ""))
            elif kind in _PUTS:
                memo[len(memo) if kind == "MEMOIZE" else argument] = texts[-1] if texts else ""
            elif kind not in _NEUTRAL:
                found += _named_by(kind, argument, texts)
                texts.clear()
            end = stream.tell()
            if kind == "BUILD" and any(each in _ARRAYS for each in found):
                return found, end, False  # the bytes of an array stand here, and are no opcodes
    except (ValueError, OverflowError, MemoryError, LookupError, EOFError, ArithmeticError, struct.error):
        # Whatever cannot be followed: what stands before it would have been done.
        return found, end, False
    return found, end, True


def _named_by(kind: str, argument: object, texts: list[str]) -> list[str]:
    if kind in ("GLOBAL", "INST"):
        return [":".join(str(argument).split(" ", 1))]
    if kind == "STACK_GLOBAL":
        # Texts that were made in another way than as texts cannot be told, and nobody honest makes them so.
        return [":".join(texts[-2:]) if len(texts) > 1 and all(texts[-2:]) else "?:?"]
    return [f"copyreg:extension {argument}"] if kind.startswith("EXT") else []


def is_allowed(named: str) -> bool:
    """Whether a pickle may name that, given as `module:name`.

    >>> is_allowed("sklearn.linear_model._logistic:LogisticRegression"), is_allowed("os:system")
    (True, False)
    """
    module, _, name = named.partition(":")
    root = module.partition(".")[0]
    if module in _PLAIN:
        return name in _PLAIN[module]
    if _NUMPY.fullmatch(named):
        return True
    if root == "numpy" or root in sys.stdlib_module_names or root in ("__main__", "?", ""):
        return False
    if _HARMFUL.fullmatch(named):
        return False
    return bool(_REBUILDS.fullmatch(named) or _CLASS.fullmatch(named))
