"""Records on the disk: written whole, read with their seal checked, older schemas migrated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic

from i2ibench.errors import DataError
from i2ibench.files import read_json, sha256_json, write_json
from i2ibench.results.record import SCHEMA, Result
from i2ibench.settings import explain


def write_result(path: Path, result: Result) -> None:
    """Write ``result`` atomically; a NaN or an infinity in it is a ``DataError``."""
    try:
        write_json(path, result.to_json())
    except ValueError as error:
        raise DataError(f"{path}: not written, the result is not valid JSON: {error}") from None


def result_file(run: Path) -> Path:
    """Return the file of a result that is named by it, or by the folder of a run."""
    return run / "result.json" if run.is_dir() else run


def read_result(path: str | Path) -> Result:
    """Read a result; a torn, edited or newer file is a ``DataError`` of one line.

    >>> outcome = i2ibench.run(model="copy", dataset="my-data", device="cpu")
    >>> i2ibench.read_result(outcome.folder / "result.json").metrics["psnr"].unit
    'dB'
    """
    path = Path(path)
    return parse_result(read_json(path), path)


def parse_result(content: Any, path: Path) -> Result:
    """Turn the JSON content of ``path`` into a ``Result``, migrating older schemas."""
    result, intact = parse_unsealed(content, path)
    if not intact:
        raise DataError(
            f"{path}: edited after it was written (its sha256 does not fit its content); "
            "restore it, or find the edit with: i2ibench verify"
        )
    return result


def parse_unsealed(content: Any, path: Path) -> tuple[Result, bool]:
    """Return the ``Result`` even of an edited file, and whether it is as it was written."""
    # Drafts had no seal; from schema 1 on one that is absent was removed.
    drafted = isinstance(content, dict) and content.get("schema") == 0
    content = migrate(content, path)
    stated = content.pop("sha256", None)
    try:
        result = Result.model_validate(content)
    except pydantic.ValidationError as error:
        raise DataError(f"{path}: not a result: {explain(error)}") from None
    return result, (stated is None and drafted) or stated == sha256_json(content)


def migrate(content: Any, path: Path) -> dict[str, Any]:
    """Return ``content`` in the present schema, or refuse it with one line."""
    if not isinstance(content, dict) or not isinstance(content.get("schema"), int):
        raise DataError(f"{path}: not a result of i2ibench (it names no schema)")
    schema = content["schema"]
    if schema > SCHEMA:
        raise DataError(
            f"{path}: schema {schema} is newer than this i2ibench (schema {SCHEMA}); "
            "update with: pip install -U i2ibench"
        )
    migrated = dict(content)
    for version in range(schema, SCHEMA):
        if version not in _MIGRATIONS:
            raise DataError(f"{path}: schema {schema} is unknown; known: 0 to {SCHEMA}")
        migrated = _MIGRATIONS[version](migrated)
    return migrated


def _from_schema_0(content: dict[str, Any]) -> dict[str, Any]:
    """Schema 0, of the drafts before the first release, had neither status nor protocol hash."""
    changed = {key: value for key, value in content.items() if key != "sha256"}
    if isinstance(changed.get("protocol"), str):
        changed["protocol"] = {"id": changed["protocol"], "sha256": ""}
    return {"status": "measured", **changed, "schema": 1}


_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {0: _from_schema_0}
