"""How much is read of files that others wrote, and how large settings may be.

Each bound is far above what the tool itself writes or any data set known needs; it stops a file or
a typing error that would fill the memory or the disk. ``SECURITY.md`` lists them all.
"""

from __future__ import annotations

MIB, GIB = 1 << 20, 1 << 30

# Files that are read whole. A manifest of a million predictions has 110 MiB.
JSON_BYTES = 512 * MIB
TOML_BYTES = 4 * MIB
CSV_BYTES = GIB
# How deep tables and lists may lie in each other.
NESTING = 64
# Digits of a whole number: what a float can hold.
INTEGER_DIGITS = 300

# Members of a file of tensors; torch.save writes one a tensor, and stores them uncompressed.
TENSOR_FILE_MEMBERS = 1_000_000
# The part of it that says which tensors there are.
TENSOR_FILE_INDEX_BYTES = 256 * MIB

# Archives. Images do not compress further; what grows more than this is no data set.
ARCHIVE_MEMBERS = 5_000_000
ARCHIVE_HEADER_BYTES = 64 * MIB
ARCHIVE_GROWTH = 100
ARCHIVE_ALWAYS_ALLOWED_BYTES = GIB
ARCHIVE_BYTES = 4096 * GIB

# A download whose size nobody has stated.
DOWNLOAD_BYTES = 1024 * GIB
# One whose card or catalogue states it may be this much larger.
DOWNLOAD_GROWTH = 2
# Redirects, headers and the like are the library's to bound.
DOWNLOAD_SILENCE_SECONDS = 30

# A regular expression of a card, on one name.
PATTERN_SECONDS = 1.0
PATTERN_CHARACTERS = 1_000

# Settings.
EPOCHS = 1_000_000
BATCH_SIZE = 65_536
IMAGE_SIDE = 65_536
SYNTHETIC_PAIRS = 1_000_000
SYNTHETIC_SIDE = 4_096
