"""Source files that are kept beside a model, because something of it stands in them."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

from flyball.errors import Corrupt, InvalidInput
from flyball.serialization import digest


def keep_source(kind: type[object], folder: Path) -> str:
    """Copies the file in which a class stands; gives its name.

    Raises:
        InvalidInput: it stands in no file, or inside a function.
    """
    if "<" in kind.__qualname__:
        raise InvalidInput(
            f"The class '{kind.__name__}', defined inside a function, cannot be kept: no other process could find it.",
            hint="Define it at the top level of a file.",
        )
    try:
        source = inspect.getsourcefile(kind)
    except TypeError:
        source = None
    if source is None or not Path(source).is_file():
        raise InvalidInput(
            f"The class '{kind.__name__}' stands in no file, so it cannot be kept.",
            hint="Write it to a module and import it from there.",
        )
    (folder / Path(source).name).write_bytes(Path(source).read_bytes())
    return Path(source).name


def run_source(path: Path) -> ModuleType:
    """The module of a kept file, under a name of its own: two versions may be loaded side by side.

    Raises:
        InvalidInput: it imports what is not installed here.
        Corrupt: it is no Python file.
    """
    name = f"flyball_kept_{digest(path.read_bytes())[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Corrupt(f"'{path.name}' is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look their module up by its name
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        sys.modules.pop(name, None)
        raise InvalidInput(
            f"'{path.name}' imports what is not installed here: {error}.",
            hint="The file is kept alone: let it import installed packages only.",
        ) from error
    except SyntaxError as error:
        sys.modules.pop(name, None)
        raise Corrupt(f"'{path.name}' is no Python: {error}.") from error
    return module
