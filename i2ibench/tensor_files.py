"""Files of tensors, looked at before torch reads them: no growth, and whole by their checksums."""

from __future__ import annotations

import zipfile
from pathlib import Path

from i2ibench import limits
from i2ibench.errors import DataError
from i2ibench.reading import open_regular, reading

_BLOCK = 1 << 22


def check_tensor_file(path: Path, what: str = "a readable checkpoint") -> None:
    """Refuse a zip file of ``torch.save`` that would grow or whose bytes are not those written.

    torch never compares the checksums it writes, so weights in which a bit has turned would be
    loaded. The format before torch 1.6 is no zip and has none: such a file passes.

    Raises:
        DataError: no regular file, compressed or overlapping members, or a wrong checksum.
    """
    remedy = "copy or download it again"
    with reading(path, what, remedy=remedy), open_regular(path) as file:
        if file.read(2) != b"PK":
            return
        with zipfile.ZipFile(file) as archive:
            _check_sizes(path, archive.infolist(), path.stat().st_size)
            # torch can be told to write none; then each is zero.
            has_checksums = any(member.CRC for member in archive.infolist())
            for member in archive.infolist() if has_checksums else ():
                _compare_checksum(path, archive, member)


def _compare_checksum(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    try:
        with archive.open(member) as content:  # compared at its end
            while content.read(_BLOCK):
                pass
    except zipfile.BadZipFile:
        raise DataError(
            f"{path}: is damaged: its part '{member.filename}' does not fit its own checksum; "
            "copy or download it again"
        ) from None


def _check_sizes(path: Path, members: list[zipfile.ZipInfo], size: int) -> None:
    if len(members) > limits.TENSOR_FILE_MEMBERS:
        raise DataError(f"{path}: holds {len(members):,} members, which no file of tensors does")
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED:
            raise DataError(
                f"{path}: its member '{member.filename}' is compressed, which torch.save never "
                "does; it could grow without bound, so it is not read"
            )
        is_index = member.filename.endswith(".pkl")
        if is_index and member.file_size > limits.TENSOR_FILE_INDEX_BYTES:
            raise DataError(f"{path}: '{member.filename}' has {member.file_size:,} bytes; not read")
    total = sum(member.file_size for member in members)
    if total > size:
        raise DataError(f"{path}: its members overlap ({total:,} bytes in a file of {size:,})")
