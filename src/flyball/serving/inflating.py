"""Bodies that were sent compressed."""

from __future__ import annotations

import zlib

from flyball.errors import InvalidInput

# zlib's own numbers: 32 says that the head of gzip or zlib is looked for, a negative one that there is none.
_AUTOMATIC, _RAW = 32 + zlib.MAX_WBITS, -zlib.MAX_WBITS


def inflated(body: bytes, coding: str, limit: int) -> bytes:
    """A body in plain.

    Args:
        coding: Of the header `Content-Encoding`: `gzip` or `deflate`, which some send without the head that belongs to it.
        limit: Most bytes that it may have then.

    Raises:
        InvalidInput: it is compressed otherwise, or damaged, or too large.
    """
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise InvalidInput(f"The body is encoded as '{coding[:40]}'.", hint="Send it plain, or as gzip or deflate.")
    for bits in (_AUTOMATIC, _RAW):
        engine = zlib.decompressobj(bits)
        try:
            plain = engine.decompress(body, limit + 1)
        except zlib.error as error:
            if bits == _RAW or coding != "deflate":
                raise InvalidInput(f"The body is no {coding}: {error}.") from error
            continue
        if len(plain) > limit:
            raise InvalidInput(f"The body is larger than {limit} bytes when it is inflated.", hint="Send fewer rows.")
        if not engine.eof:
            raise InvalidInput(f"The body ends within its {coding}.")
        return plain
    raise AssertionError("one of the ways has answered")
