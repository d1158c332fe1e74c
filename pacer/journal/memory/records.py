"""
Records by index, id and key, none of them twice.
"""

from __future__ import annotations

from collections.abc import Iterable

from pacer.journal.records import Duplicate, Record


class Records:
    """
    What a batch consists of.

    Attributes:
        by_index: All records, in the order in which they came.
    """

    def __init__(self) -> None:
        self.by_index: dict[int, Record] = {}
        self._by_id: dict[str, Record] = {}
        self._by_key: dict[str, Record] = {}

    def add(self, record: Record) -> Duplicate | None:
        """
        Take *record*, or return what it repeats.

        Raises:
            ValueError: its index is there, with another id and key.
        """
        well_formed(record.id, record.key)
        if record.id in self._by_id:
            return Duplicate(record, "id", self._by_id[record.id].line)
        if record.key in self._by_key:
            return Duplicate(record, "idempotencyKey", self._by_key[record.key].line)
        if record.index in self.by_index:
            raise ValueError(f"there is a request {record.index} already")
        self.by_index[record.index] = record
        self._by_id[record.id] = self._by_key[record.key] = record
        return None

    def remove(self, record: Record) -> None:
        """Take back what :meth:`add` took."""
        del self.by_index[record.index], self._by_id[record.id], self._by_key[record.key]

    def find(self, ids: Iterable[str], keys: Iterable[str]) -> list[int]:
        """Return the indexes of the records that have one of these ids or keys, in order."""
        found = {record.index for name in ids if (record := self._by_id.get(name))}
        found |= {record.index for key in keys if (record := self._by_key.get(key))}
        return sorted(found)


def well_formed(*texts: str | None) -> None:
    """Raise ``UnicodeEncodeError``, a ``ValueError``, for a lone surrogate: no file could hold it."""
    for text in texts:
        if text is not None:
            text.encode()
