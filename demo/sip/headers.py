"""SIP header fields: ordered, repeatable, found without regard to case or compact form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

COMPACT = {
    "b": "Referred-By", "c": "Content-Type", "e": "Content-Encoding", "f": "From", "i": "Call-ID",
    "k": "Supported", "l": "Content-Length", "m": "Contact", "o": "Event", "r": "Refer-To",
    "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires",
}  # fmt: skip


class Headers:
    """`h["Via"]` is the first Via ("" when there is none); `h.all("Via")` are all of them."""

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: list[tuple[str, str]] = []
        for name, value in fields:
            self.add(name, value)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __contains__(self, name: str) -> bool:
        return any(True for _ in self._named(name))

    def __getitem__(self, name: str) -> str:
        return next(self._named(name), "")

    def __setitem__(self, name: str, value: str) -> None:
        """Replaces every field of that name by one, at the end."""
        wanted = _canonical(name).lower()
        self._fields = [(n, v) for n, v in self._fields if n.lower() != wanted]
        self.add(name, value)

    def add(self, name: str, value: str) -> None:
        self._fields.append((_canonical(name), value))

    def all(self, name: str) -> list[str]:
        """Every value, comma lists taken apart (so not for headers with bare commas, such as Date)."""
        return [part for value in self._named(name) for part in split_outside_quotes(value, ",")]

    def lines(self, name: str) -> list[str]:
        """Every value as it stood on its line."""
        return list(self._named(name))

    def copy(self) -> Headers:
        return Headers(self._fields)

    def _named(self, name: str) -> Iterator[str]:
        wanted = _canonical(name).lower()
        return (value for n, value in self._fields if n.lower() == wanted)


def _canonical(name: str) -> str:
    return COMPACT.get(name.lower(), name)


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Split at a separator that stands neither in "quotes" nor in <angle brackets>; empty parts dropped."""
    parts, start, quoted, depth = [], 0, False, 0
    for index, char in enumerate(text):
        if char == '"' and (index == 0 or text[index - 1] != "\\"):
            quoted = not quoted
        elif quoted:
            continue
        elif char == "<":
            depth += 1
        elif char == ">":
            depth -= 1
        elif char == separator and depth <= 0:
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]
