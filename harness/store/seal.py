"""A SHA-256 of a whole Parquet file in its own footer, so that any change of any bit of it is found.

Page checksums cover what lies in pages, but neither their headers nor the footer, whose statistics decide which pages
a query reads at all. The seal covers every byte: it is taken with zeros in its own place and then put there.
"""

import hashlib
import re

SEAL_KEY = b"harness_file_sha256"
BLANK = b"0" * 64
"""What the writer gives as the value of :data:`SEAL_KEY` before the file is sealed; as long as a seal."""

# Parquet's Thrift writes key and value one after the other, with a field header and a length between them.
_PLACE = re.compile(re.escape(SEAL_KEY) + rb".{2,8}?([0-9a-f]{64})", re.DOTALL)


def seal(content: bytes) -> bytes:
    """Return a Parquet file with its seal in place of the blank one.

    Args:
        content: The file, with :data:`BLANK` under :data:`SEAL_KEY` in its metadata.

    Raises:
        ValueError: There is no such place, or another one like it.
    """
    places = _PLACE.findall(content)
    if places != [BLANK]:
        raise ValueError(f"expected one blank seal in the metadata of the file, got {len(places)} places for one")
    start, end = next(_PLACE.finditer(content)).span(1)
    return content[:start] + hashlib.sha256(content).hexdigest().encode() + content[end:]


def is_sealed(content: bytes) -> bool:
    """Return whether a file is exactly what was sealed.

    Example:
        >>> sealed = seal(b"data" + SEAL_KEY + b"...." + BLANK + b"more")
        >>> is_sealed(sealed), is_sealed(sealed.replace(b"data", b"date"))
        (True, False)
    """
    for match in _PLACE.finditer(content):
        start, end = match.span(1)
        if hashlib.sha256(content[:start] + BLANK + content[end:]).hexdigest().encode() == match[1]:
            return True
    return False
