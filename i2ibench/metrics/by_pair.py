"""Set metrics that keep a small description of each pair and compute from all of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from itertools import pairwise
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from i2ibench.errors import DataError
from i2ibench.metrics.interface import SetMetric
from i2ibench.metrics.kept_rows import Field, Form, Rows, form_of
from i2ibench.metrics.packed import ROWS, ArrayBlocks, Packed
from i2ibench.seeds import derive_seed

Description = TypeVar("Description")
Places = npt.NDArray[np.int64]


class Descriptions(MutableMapping[str, Description]):
    """Descriptions by pair id.

    Tuples of arrays of fixed shape, floats and texts are kept as rows, beyond a bound on the disk
    (see ``kept_rows``), anything else as it is. Of a pair that is given twice the later counts.
    """

    def __init__(self, given: Mapping[str, Description] | None = None) -> None:
        self._ids: list[str] = []
        # Where each description lies: its part, or -1 for ``_others``, and its number there.
        self._part, self._number = array("i"), array("q")
        self._parts: list[Rows] = []
        self._others: list[Description] = []
        self._open: Rows | None = None  # the part that this mapping alone appends to
        self._sorted: tuple[int, Places] | None = None
        self._places: dict[str, int] = {}
        for pair_id, description in (given or {}).items():
            self[pair_id] = description

    def __setitem__(self, pair_id: str, description: Description) -> None:
        form = form_of(description)
        if form is not None and self._open is None and not self._others:
            self._open = Rows(form)
            self._parts.append(self._open)
        if form is not None and self._open is not None and form == self._open.form:
            self._part.append(len(self._parts) - 1)
            self._number.append(self._open.append(description))
        else:
            self._part.append(-1)
            self._number.append(len(self._others))
            self._others.append(description)
        self._ids.append(pair_id)

    def __getitem__(self, pair_id: str) -> Description:
        for place in range(len(self._places), len(self._ids)):
            self._places[self._ids[place]] = place
        return self._at(self._places[pair_id])

    def __delitem__(self, pair_id: str) -> None:
        raise TypeError("the description of a pair is not taken back")

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self._ids))

    def __len__(self) -> int:
        return len(self.order())

    def order(self) -> Places:
        """Return the places of the descriptions in the order of ids."""
        if self._sorted is None or self._sorted[0] != len(self._ids):
            ids = self._ids
            order = np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)
            last = [ids[a] != ids[b] for a, b in pairwise(order.tolist())]
            self._sorted = (len(ids), order[np.array([*last, True][: len(order)], dtype=bool)])
        return self._sorted[1]

    def ordered_ids(self) -> list[str]:
        """Return the ids, sorted."""
        return [self._ids[place] for place in self.order().tolist()]

    def descriptions(self, places: Places) -> list[Description]:
        """Return the descriptions at some places."""
        return [self._at(place) for place in places.tolist()]

    def uniform(self) -> Rows | None:
        """Return some rows that have the form of all; None where descriptions have none or many."""
        if self._others or not self._parts:
            return None
        first = self._parts[0]
        return first if all(part.form == first.form for part in self._parts) else None

    def gathered(self, field: int, places: Places) -> npt.NDArray[Any]:
        """Return one element of the descriptions at some places: (n, *shape); texts as objects."""
        first = self.uniform()
        if first is None:
            return np.array([row[field] for row in self.descriptions(places)])  # type: ignore[index]
        said = first.form.fields[field]
        is_text = said.kind == "text"
        found = np.empty((len(places), *said.shape), object if is_text else said.dtype)
        parts = np.frombuffer(self._part, np.int32)[places]
        numbers = np.frombuffer(self._number, np.int64)[places]
        for part in np.unique(parts).tolist():
            rows = np.flatnonzero(parts == part)
            read = self._parts[part].read(field, numbers[rows])
            if is_text:
                read = np.array([*self._parts[part].texts, None], dtype=object)[read]
            found[rows] = read
        return found

    def append_rows(self, ids: Sequence[str], rows: Rows) -> None:
        """Add rows that are complete, one for each id."""
        self._parts.append(rows)
        self._ids += ids
        self._part.extend([len(self._parts) - 1] * len(ids))
        self._number.extend(range(len(ids)))

    def joined(self, other: Descriptions[Description]) -> Descriptions[Description]:
        """Return both; the descriptions themselves are shared, not copied.

        Raises:
            DataError: a pair is in both.
        """
        twice = {*self._ids} & {*other._ids}
        if twice:
            raise DataError(f"pair {min(twice)} is in both of the states to merge")
        both: Descriptions[Description] = Descriptions()
        both._ids = self._ids + other._ids
        both._parts = self._parts + other._parts
        both._others = self._others + other._others
        both._part, both._number = self._part[:], self._number[:]
        parts, numbers = (np.array(each) for each in (other._part, other._number))
        in_others = parts < 0
        numbers[in_others] += len(self._others)
        parts[~in_others] += len(self._parts)
        both._part.frombytes(parts.tobytes())
        both._number.frombytes(numbers.tobytes())
        return both

    def _at(self, place: int) -> Description:
        part, number = self._part[place], self._number[place]
        if part < 0:
            return self._others[number]
        found: Description = self._parts[part].description(number)
        return found


class Column:
    """One element of all descriptions, in the order of ids; rows are read when asked for."""

    def __init__(self, pairs: Descriptions[Any], field: int, places: Places) -> None:
        self._pairs, self._field, self._places = pairs, field, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, numbers: int | slice | Places) -> npt.NDArray[Any]:
        """Return one row, or an array (n, *shape) of several."""
        if isinstance(numbers, int):
            found: npt.NDArray[Any] = self[np.array([numbers])][0]
            return found
        return self._pairs.gathered(self._field, self._places[numbers])

    def every(self, start: int, step: int) -> Column:
        """Return every ``step``-th row from ``start`` on, not read."""
        return Column(self._pairs, self._field, self._places[start::step])

    def some(self, numbers: Places) -> Column:
        """Return some of the rows, not read."""
        return Column(self._pairs, self._field, self._places[numbers])


class ByPair(Generic[Description]):
    """Descriptions by pair id: neither order nor sharding can change what is computed."""

    def __init__(self, pairs: Mapping[str, Description] | None = None) -> None:
        self.pairs: Descriptions[Description] = (
            pairs if isinstance(pairs, Descriptions) else Descriptions(pairs)
        )

    def ordered(self) -> list[Description]:
        """Return the descriptions in the order of ids."""
        return self.pairs.descriptions(self.pairs.order())

    def column(self, field: int) -> Column:
        """Return one element of all descriptions in the order of ids; ``[:]`` is the array."""
        return Column(self.pairs, field, self.pairs.order())


class KeyedSetMetric(SetMetric[ByPair[Description]], Generic[Description]):
    """Base of metrics whose state is ``ByPair``; subclasses say ``describe`` and ``compute``."""

    def new_state(self) -> ByPair[Description]:
        """Return the state of no pair."""
        return ByPair()

    def update(self, state: ByPair[Description], pair_id: str, description: Any) -> None:
        """Keep the pair's description."""
        state.pairs[pair_id] = description

    def merge(self, state: ByPair[Description], other: ByPair[Description]) -> ByPair[Description]:
        """Return both; the descriptions themselves are shared, not copied.

        Raises:
            DataError: a pair is in both.
        """
        return ByPair(state.pairs.joined(other.pairs))

    def pack(self, state: ByPair[Description]) -> Packed:
        """Return the descriptions in the order of ids, as far as they are rows.

        Raises:
            UsageError: they are no tuples of arrays of one shape, floats and texts.
        """
        pairs = state.pairs
        rows, order = pairs.uniform(), pairs.order()
        if not len(order):
            return Packed({"ids": []}, {})
        if rows is None:
            return super().pack(state)
        texts: list[str] = []
        arrays: dict[str, ArrayBlocks] = {}
        for field, said in enumerate(rows.form.fields):
            column = state.column(field)
            if said.kind == "text":
                found = column[:].tolist()
                texts = sorted({*texts, *(each for each in found if each is not None)})
        for field, said in enumerate(rows.form.fields):
            column = state.column(field)
            if said.kind == "text":
                codes = {text: number for number, text in enumerate(texts)}
                found = [codes.get(each, -1) for each in column[:].tolist()]
                arrays[str(field)] = ArrayBlocks.of(np.array(found, dtype=said.dtype))
            else:
                arrays[str(field)] = _blocks_of(column, said)
        facts = {
            "ids": pairs.ordered_ids(),
            "bare": rows.form.bare,
            "kinds": [said.kind for said in rows.form.fields],
            "texts": texts,
        }
        return Packed(facts, arrays)

    def unpack(self, packed: Packed) -> ByPair[Description]:
        """Return the state of packed descriptions."""
        state, ids = self.new_state(), packed.facts["ids"]
        if not ids:
            return state
        kinds = packed.facts["kinds"]
        arrays = [packed.arrays[str(field)] for field in range(len(kinds))]
        fields = [
            Field(kind, each.dtype, each.shape[1:])
            for kind, each in zip(kinds, arrays, strict=True)
        ]
        rows = Rows(Form(tuple(fields), packed.facts["bare"]))
        for blocks in zip(*(each.blocks() for each in arrays), strict=True):
            rows.extend(blocks, packed.facts["texts"])
        if rows.count != len(ids) or len({*ids}) < len(ids):
            raise ValueError(f"{rows.count} descriptions of {len({*ids})} pairs")
        state.pairs.append_rows(ids, rows)
        return state


def _blocks_of(column: Column, said: Field) -> ArrayBlocks:
    def blocks() -> Iterator[npt.NDArray[Any]]:
        for start in range(0, len(column), ROWS):
            yield column[start : start + ROWS]

    return ArrayBlocks(said.dtype, (len(column), *said.shape), blocks)


def drawn_subset(n: int, most: int, name: str) -> Places | None:
    """Return ``most`` of the numbers below ``n``, in order, drawn by a seed; None up to ``most``.

    What costs the square of the number of pairs is computed of such a subset. It depends on n and
    the name alone, so that neither order nor sharding of pairs changes it.
    """
    if n <= most:
        return None
    draw = np.random.default_rng(derive_seed(0, "subset", name, n))
    return np.sort(draw.choice(n, most, replace=False)).astype(np.int64)
