"""What a run leaves behind besides numbers: files, texts, tables, figures, images, sound."""

from __future__ import annotations

import io
import os
import struct
import wave
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from flyball.errors import InvalidInput, MissingExtra

_FIGURES = ("png", "svg", "pdf", "jpg")


class Media(ABC):
    """Something that things can be left behind in."""

    @abstractmethod
    def keep_artifact(self, source: Path | bytes, name: str, kind: str) -> None:
        """Keeps a file as it is now, or bytes, under a name."""

    def log_artifact(self, path: str | os.PathLike[str], name: str = "", kind: str = "file") -> None:
        """Keeps a file as it is now; what is written to it later does not count.

        Args:
            path: The file; of a folder, all files in it are kept.
            name: Its name in the run, such as `plots/roc.png`; by default the file's own.
            kind: What it is.

        Raises:
            InvalidInput: there is no such file, or the name cannot be used.
        """
        source = Path(path)
        if source.is_dir():
            self.log_artifacts(source, name or source.name, kind)
            return
        if not source.is_file():
            raise InvalidInput(f"There is no file '{source}'.", hint="Give the path of a file or folder that is there.")
        self.keep_artifact(source, name or source.name, kind)

    def log_artifacts(self, folder: str | os.PathLike[str], name: str = "", kind: str = "file") -> None:
        """Keeps all files of a folder and of those in it; `name` is put before their names.

        Raises:
            InvalidInput: there is no such folder.
        """
        root = Path(folder)
        if not root.is_dir():
            raise InvalidInput(f"There is no folder '{root}'.")
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            inner = path.relative_to(root).as_posix()
            self.keep_artifact(path, f"{name.rstrip('/')}/{inner}" if name else inner, kind)

    def log_text(self, text: str, name: str) -> None:
        """Keeps a text as a file."""
        self.keep_artifact(text.encode("utf-8", "replace"), _named(name, "txt"), "text")

    def log_table(self, table: Any, name: str = "table") -> None:
        """Keeps a table (pandas, Polars, Arrow, or columns by name) as a Parquet file.

        Raises:
            InvalidInput: it is no table.
            MissingExtra: pyarrow is not installed.
        """
        self.keep_artifact(parquet_of(table), _named(name, "parquet"), "table")

    def log_figure(self, figure: Any, name: str = "figure", *, step: int | None = None) -> None:
        """Keeps a figure: of matplotlib as PNG (or what the name ends with: svg, pdf, jpg), of Plotly as HTML.

        Raises:
            InvalidInput: it is no figure.
        """
        data, ending = figure_bytes(figure, PurePosixPath(name).suffix.lstrip("."))
        self.keep_artifact(data, _named(name, ending, step), "plot")

    def log_image(self, image: Any, name: str = "image", *, step: int | None = None) -> None:
        """Keeps an image as PNG: of Pillow, or an array of height x width (x 1, 3 or 4 channels).

        Whole numbers go from 0 to 255, others from 0 to 1.

        Raises:
            InvalidInput: it is no image.
        """
        self.keep_artifact(png_of(image), _named(name, "png", step), "image")

    def log_audio(self, samples: Any, name: str = "audio", *, rate: int = 44_100, step: int | None = None) -> None:
        """Keeps sound as WAV: an array of samples (x channels) from -1 to 1, or of 16 bit.

        Args:
            rate: Samples a second.

        Raises:
            InvalidInput: it is no sound.
        """
        self.keep_artifact(wav_of(samples, rate), _named(name, "wav", step), "audio")


def parquet_of(table: Any) -> bytes:
    """A table as Parquet."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("Tables need pyarrow.", hint="pip install 'flyball[data]'") from error
    try:
        found = table if isinstance(table, pa.Table) else pa.table(dict(table) if isinstance(table, Mapping) else table)
    except (TypeError, ValueError, pa.ArrowException) as error:
        raise InvalidInput(
            f"A {type(table).__name__} is no table: {error}.",
            hint="Give a pandas, Polars or Arrow table, or columns by name.",
        ) from error
    sink = io.BytesIO()
    pq.write_table(found, sink, compression="zstd")
    return sink.getvalue()


def figure_bytes(figure: Any, ending: str = "") -> tuple[bytes, str]:
    """A figure as a file's bytes, and the ending of its name."""
    if hasattr(figure, "savefig"):
        kind = ending if ending in _FIGURES else "png"
        sink = io.BytesIO()
        figure.savefig(sink, format=kind, bbox_inches="tight")
        return sink.getvalue(), kind
    if hasattr(figure, "to_html"):
        return str(figure.to_html(include_plotlyjs="cdn")).encode(), "html"
    if hasattr(figure, "get_figure"):  # axes of matplotlib
        return figure_bytes(figure.get_figure(), ending)
    raise InvalidInput(f"A {type(figure).__name__} is no figure.", hint="Give a figure of matplotlib or Plotly.")


def png_of(image: Any) -> bytes:
    """An image as PNG."""
    if hasattr(image, "save") and hasattr(image, "mode"):  # Pillow
        sink = io.BytesIO()
        image.save(sink, format="PNG")
        return sink.getvalue()
    pixels = _array(image, "image")
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    color = {1: 0, 3: 2, 4: 6}.get(pixels.shape[-1] if pixels.ndim == 3 else 0)
    if color is None or not pixels.size:
        raise InvalidInput(
            f"An array of shape {'x'.join(map(str, pixels.shape))} is no image.",
            hint="Give height x width, or height x width x 1, 3 or 4 channels.",
        )
    if pixels.dtype.kind not in "uib":
        pixels = pixels * 255.0
    import numpy as np

    whole = np.clip(np.nan_to_num(np.rint(pixels.astype("float64"))), 0, 255).astype("uint8")
    height, width = whole.shape[:2]
    rows = np.concatenate([np.zeros((height, 1), "uint8"), whole.reshape(height, -1)], axis=1)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes())),
        (b"IEND", b""),
    ]
    framed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def wav_of(samples: Any, rate: int) -> bytes:
    """Sound as WAV, 16 bit."""
    sound = _array(samples, "sound")
    if sound.ndim not in (1, 2) or not sound.size or (sound.ndim == 2 and sound.shape[1] > 32) or rate <= 0:
        raise InvalidInput(
            f"An array of shape {'x'.join(map(str, sound.shape))} at {rate} a second is no sound.",
            hint="Give samples, or samples x channels.",
        )
    if str(sound.dtype) != "int16":
        import numpy as np

        sound = np.rint(np.clip(np.nan_to_num(sound.astype("float64")), -1.0, 1.0) * 32767)
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setnchannels(1 if sound.ndim == 1 else int(sound.shape[1]))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(sound.astype("<i2").tobytes())
    return sink.getvalue()


def _array(values: Any, what: str) -> Any:
    try:
        import numpy as np
    except ImportError as error:
        raise MissingExtra(f"An {what} needs numpy.", hint="pip install 'flyball[data]'") from error
    if hasattr(values, "detach"):  # a tensor that is part of a computation, or lies on another device
        values = values.detach().cpu()
    found = np.asarray(values)
    if found.dtype.kind not in "uifb":
        raise InvalidInput(f"A {type(values).__name__} is no {what}.", hint="Give an array of numbers.")
    return found


def _named(name: str, ending: str, step: int | None = None) -> str:
    """The name with its ending, and the step before it."""
    path = PurePosixPath(name)
    stem = str(path.with_suffix("")) if path.suffix == f".{ending}" else name
    place = "" if step is None else f"-{step:06d}"
    # A text may be a `.json` or `.md`; what is encoded here ends as what it is.
    if ending == "txt" and path.suffix:
        return name
    return f"{stem}{place}.{ending}"
