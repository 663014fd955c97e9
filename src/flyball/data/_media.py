"""What a folder of files holds: images, audio, video, text, tables, and how large the images are."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from flyball.data.manifest import MediaKind

_KINDS = {
    "image": "avif bmp gif heic ico jpeg jpg png svg tif tiff webp",
    "audio": "aac aiff flac m4a mp3 ogg opus wav wma",
    "video": "avi m4v mkv mov mp4 mpeg mpg ogv webm wmv",
    "text": "csv htm html json jsonl log md ndjson rst toml tsv txt xml yaml yml",
    "table": "arrow avro feather npy npz orc parquet pq",
}
_KIND_OF = {f".{suffix}": kind for kind, suffixes in _KINDS.items() for suffix in suffixes.split()}
# Enough for the least and the greatest, and a moment's work in a folder of a million.
_LOOKED_AT = 500
_HEADER = 64 << 10


def describe_folder(files: Sequence[tuple[str, str, int]]) -> tuple[MediaKind, ...]:
    """The kinds of files in a folder, the most frequent first.

    Args:
        files: Name, place and size of each.
    """
    kinds: dict[str, list[tuple[str, str, int]]] = {}
    for file in files:
        kinds.setdefault(_KIND_OF.get(_suffix(file[0]), "other"), []).append(file)
    found = [_describe(kind, of_it) for kind, of_it in kinds.items()]
    return tuple(sorted(found, key=lambda kind: (-kind.files, kind.kind)))


def image_size(header: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, GIF, BMP or JPEG, of which the first bytes are given; None if it is none of them.

    >>> image_size(b"GIF89a" + bytes([8, 0, 9, 0]))
    (8, 9)
    """
    if header[:8] == b"\x89PNG\r\n\x1a\n" and len(header) >= 24:
        width, height = struct.unpack(">II", header[16:24])
    elif header[:6] in (b"GIF87a", b"GIF89a") and len(header) >= 10:
        width, height = struct.unpack("<HH", header[6:10])
    elif header[:2] == b"BM" and len(header) >= 26:
        width, height = struct.unpack("<ii", header[18:26])
    elif header[:2] == b"\xff\xd8":
        return _jpeg_size(header)
    else:
        return None
    return int(width), abs(int(height))


def _jpeg_size(header: bytes) -> tuple[int, int] | None:
    # Segments follow each other: 0xFF, its kind, its length; those of the kinds C0 to CF, three apart, begin a frame.
    at = 2
    while at + 9 <= len(header) and header[at] == 0xFF:
        kind = header[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", header[at + 5 : at + 9])
            return int(width), int(height)
        at += 2 + int(struct.unpack(">H", header[at + 2 : at + 4])[0])
    return None


def _describe(kind: str, files: Sequence[tuple[str, str, int]]) -> MediaKind:
    suffixes = Counter(_suffix(name) for name, _, _ in files)
    common = sorted(suffixes, key=lambda suffix: (-suffixes[suffix], suffix))
    sizes = list(_image_sizes(files)) if kind == "image" else []
    return MediaKind(
        kind=kind,
        files=len(files),
        size=sum(size for _, _, size in files),
        suffixes=tuple(common[:10]),
        width=(min(w for w, _ in sizes), max(w for w, _ in sizes)) if sizes else None,
        height=(min(h for _, h in sizes), max(h for _, h in sizes)) if sizes else None,
    )


def _image_sizes(files: Sequence[tuple[str, str, int]]) -> Iterable[tuple[int, int]]:
    step = max(1, len(files) // _LOOKED_AT)
    for _, where, _ in files[::step][:_LOOKED_AT]:
        place = Path(where)
        try:
            with place.open("rb", buffering=0) as file:
                header = file.read(_HEADER)
                found = image_size(header) or _by_pillow(place)
        except (OSError, struct.error):
            continue
        if found:
            yield found


def _by_pillow(place: Path) -> tuple[int, int] | None:
    try:
        from PIL import Image
    except ImportError:
        return None
    try:
        with Image.open(place) as image:
            return image.size
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for what is no picture, or a broken one
        return None


def _suffix(name: str) -> str:
    # By hand, since a path object costs more than all the rest of this.
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return dot + suffix.lower() if stem and suffix else ""
