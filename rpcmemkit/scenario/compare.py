"""Comparing what a file expects with what happened: only what the file says is compared."""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from rpcmemkit.audit import storage_at
from rpcmemkit.call import Call
from rpcmemkit.errors import RpcError, RpcMemKitError, UsageError
from rpcmemkit.given import hint
from rpcmemkit.paths import resolve, value_place
from rpcmemkit.plan import ArrayPlan, BasePlan, PointerPlan
from rpcmemkit.reader import Reader
from rpcmemkit.scenario.run import Moment, Outcome
from rpcmemkit.status import status_code
from rpcmemkit.values import packed

MISSING = "(nothing)"
MOST_ELEMENTS = 1 << 24
"""No array that is shown as text has more."""
NEW, OLD = "storage new to the client", "storage from before the call"


class Difference(NamedTuple):
    """One disagreement: where, what the file expects, what was observed."""

    path: str
    expected: Any
    actual: Any


def differences(outcome: Outcome) -> list[Difference]:
    """Return every disagreement between a call and the ``expect`` of its step."""
    observed = outcome.observed()
    found: list[Difference] = []
    for key, expected in outcome.expect.items():
        found += _compare_key(outcome.call, key, expected, observed.get(key, MISSING))
    return found


def _compare_key(call: Call, key: str, expected: Any, actual: Any) -> list[Difference]:
    match key:
        case "server_sees":
            return Values(actual, Moment.on_entry(call)).compare(key, expected)
        case "client_after":
            return Values(actual, Moment.after(call)).compare(key, expected)
        case "server_storage":
            return _storage(call, expected)
        case "status":
            same = _code(expected) == _code(actual)
        case "orphaned":
            same = sorted(map(str, expected)) == sorted(actual)
        case "request" | "response":
            same = str(expected).lower() == actual
        case "rules":
            actual = _rules(call)
            same = set(expected) <= set(actual)
        case _:
            same = expected == actual
    return [] if same else [Difference(key, expected, actual)]


def _rules(call: Call) -> list[str]:
    """Return the rules that took effect in a call, each once, in the order of its first event."""
    raised = [call.error.rule] if isinstance(call.error, RpcError) else []
    return list(dict.fromkeys(filter(None, [*(event.rule for event in call.trace), *raised])))


def _code(status: str | int) -> str | int:
    """Return the number behind a status, so that names of one number are equal; an unknown name is itself."""
    try:
        return status_code(status)
    except KeyError:
        return status


def _storage(call: Call, expected: Mapping[str, Any]) -> list[Difference]:
    entry = Moment.on_entry(call, every=True)
    if entry is None:
        return [Difference("server_storage", dict(expected), MISSING)]
    found = [
        Difference(f"server_storage.{path}", wanted, _storage_at(entry, path))
        for path, wanted in expected.items()
    ]
    return [each for each in found if each.expected != each.actual]


def _storage_at(entry: Moment, path: str) -> str | None:
    """Return where the referent of the pointer at a path lived when the routine was entered."""
    try:
        place = resolve(entry.space, path, entry.places.get)
        if not isinstance(place.plan, PointerPlan):
            raise UsageError(f"{path!r} is no pointer")
        return storage_at(entry.space, entry.space.pointer_at(place.address))
    except RpcMemKitError as error:
        return str(error)


def _stored(moment: Moment, path: str, count: int) -> Any:
    """Return so many elements of the array at a path, also those beyond its count; ``None`` if it has no such room."""
    try:
        place = value_place(moment.space, resolve(moment.space, path, moment.places.get), path)
    except RpcMemKitError:
        return None
    plan = place.plan
    if not isinstance(plan, ArrayPlan) or moment.space.capacity(place.address) < count * plan.stride:
        return None
    if plan.is_string or plan.is_text:
        return _codes({"$hex": moment.space.read(place.address, count * plan.stride).hex()}, count)
    whole = replace(plan, bound=count, size_of=None, length_of=None, first_of=None)
    read = Reader(moment.space, moment.labels).read({"array": place._replace(plan=whole)})
    return _codes(read["array"], count)


def _taken(moment: Moment, path: str, number: int) -> int:
    """Return what the integer at a path would be after ``number`` was written to it: as in C, 0x80004005 is a negative long."""
    try:
        plan = value_place(moment.space, resolve(moment.space, path, moment.places.get), path).plan
        return int(plan.value.unpack(packed(plan, number))[0]) if isinstance(plan, BasePlan) else number
    except (RpcMemKitError, struct.error):
        return number


class _Pair(NamedTuple):
    """A value of the file and the value of the run that it has to agree with."""

    path: str
    expected: Any
    actual: Any


class Values:
    """Compares values whose storage has identity: labels on both sides must name the same storage, one to one.

    At a ``moment`` with labels, those from before the call mean what they say, and arrays are known beyond their count.
    Nothing recurses: pairs wait on a stack.
    """

    def __init__(self, actual: Any, moment: Moment | None = None) -> None:
        self.actual = actual
        self.moment = moment
        self.labels = moment.labels if moment else None
        self.storage = _labelled(actual)
        self.empty: set[str] = set()
        """The labels of the file for storage without a size: what lies at such an address may belong to something else."""
        self.forward: dict[str, str] = {}
        self.backward: dict[str, str] = {}
        self.found: list[Difference] = []

    def compare(self, key: str, expected: Mapping[str, Any]) -> list[Difference]:
        """Return the disagreements below ``key``."""
        if not isinstance(self.actual, Mapping):
            return [Difference(key, dict(expected), self.actual)]
        self.empty = {label for label, value in _labelled(expected).items() if _is_empty(value.get("$value"))}
        pending = self._members(key, expected, self.actual)[::-1]
        while pending:
            pair = pending.pop()
            pending += reversed(self._pair(pair))
        return self.found

    def _differ(self, pair: _Pair, actual: Any = None) -> list[_Pair]:
        self.found.append(Difference(pair.path, pair.expected, pair.actual if actual is None else actual))
        return []

    def _pair(self, pair: _Pair) -> list[_Pair]:
        """Compare two values as far as they go, and return what is inside them."""
        expected = pair.expected
        if isinstance(expected, Mapping):
            if not expected.keys().isdisjoint(("$alias", "$label", "$new")):
                return self._identity(pair)
            pair = pair._replace(actual=self._innermost(pair.actual))
            if "$context" in expected:
                return self._context(pair)
            if "$hex" in expected:
                return [] if _same_codes(expected, pair.actual) else self._differ(pair)
            return self._allocated(pair) if "$allocated" in expected else self._map(pair)
        reach = self._unwrapped if expected is None else self._innermost
        pair = pair._replace(actual=reach(pair.actual))
        if isinstance(expected, list):
            return self._list(pair)
        return [] if same_scalar(expected, pair.actual) or self._is_taken(pair) else self._differ(pair)

    def _is_taken(self, pair: _Pair) -> bool:
        """Whether a number of the file is the observed one after C's conversion to a type of its width."""
        if self.moment is None or type(pair.expected) is not int or type(pair.actual) is not int:
            return False
        return _taken(self.moment, pair.path.partition(".")[2], pair.expected) == pair.actual

    # --- identity ---

    def _identity(self, pair: _Pair) -> list[_Pair]:
        path, expected, actual = pair
        if not isinstance(actual, Mapping):
            label = expected.get("$label", expected.get("$alias"))
            # what the server sees has a label only where two pointers lead
            bare = self.labels is None and "$alias" not in expected
            if (bare or label in self.empty) and "$new" not in expected:
                return [_Pair(path, expected["$value"], actual)] if "$value" in expected else []
            return self._differ(pair)
        label = expected.get("$label", expected.get("$alias"))
        other = actual.get("$label", actual.get("$alias"))
        is_new = "$new" in self.storage.get(other, actual)
        if "$alias" not in expected and bool(expected.get("$new")) != is_new:
            return self._differ(pair._replace(expected=OLD if is_new else NEW), NEW if is_new else OLD)
        if label is not None and not self._bind(label, other or f"(only at {path})"):
            known = self.forward.get(label, label)
            return self._differ(
                pair._replace(expected=f"storage {known}"), f"storage {other or 'of its own'}"
            )
        return [_Pair(path, expected["$value"], self._unwrapped(actual))] if "$value" in expected else []

    def _context(self, pair: _Pair) -> list[_Pair]:
        """An open context handle: one name, one handle."""
        actual = pair.actual
        if not isinstance(actual, Mapping) or "$context" not in actual:
            return self._differ(pair)
        same = self._bind(str(pair.expected["$context"]), str(actual["$context"]))
        return [] if same else self._differ(pair)

    def _bind(self, label: str, other: str) -> bool:
        """Note that a label of the file and one of the run name the same storage; return whether that can be."""
        if label != other and self.labels and (self.labels.address(label) or self.labels.address(other)):
            return False
        if self.forward.get(label, other) != other or self.backward.get(other, label) != label:
            return False
        self.forward[label], self.backward[other] = other, label
        return True

    def _unwrapped(self, actual: Any) -> Any:
        """Return the value in some storage."""
        if isinstance(actual, Mapping) and "$alias" in actual:
            actual = self.storage.get(actual["$alias"], actual)
        if isinstance(actual, Mapping) and ("$label" in actual or "$new" in actual):
            return actual.get("$value")
        return actual

    def _innermost(self, actual: Any) -> Any:
        """Return what a chain of pointers ends in: the file may leave out what the storage on the way is called."""
        while (inner := self._unwrapped(actual)) is not actual:
            actual = inner
        return actual

    # --- compound values ---

    def _map(self, pair: _Pair) -> list[_Pair]:
        if not isinstance(pair.actual, Mapping):
            return self._differ(pair)
        if "$case" in pair.expected and not _same_case(pair.expected["$case"], pair.actual.get("$case")):
            where = f"{pair.path}.$case"
            return self._differ(_Pair(where, pair.expected["$case"], pair.actual.get("$case", MISSING)))
        return self._members(pair.path, pair.expected, pair.actual)

    def _members(self, path: str, expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[_Pair]:
        names = [name for name in expected if name != "$case"]
        return [
            _Pair(f"{path}.{name}", expected[name], actual.get(name, _missing(name, actual)))
            for name in names
        ]

    def _list(self, pair: _Pair) -> list[_Pair]:
        expected, actual = pair.expected, _codes(pair.actual, len(pair.expected), text=True)
        if actual is None or len(actual) != len(expected):
            return self._differ(pair)
        both = zip(expected, actual, strict=True)
        return [_Pair(f"{pair.path}[{index}]", one, other) for index, (one, other) in enumerate(both)]

    def _allocated(self, pair: _Pair) -> list[_Pair]:
        """Compare an array with the room behind its elements, which is zero where the file does not say."""
        size, given = pair.expected["$allocated"], pair.expected.get("$elements", [])
        elements = _codes(given)
        if self.moment and self.labels is not None:
            shown = _stored(self.moment, pair.path.partition(".")[2], size)
        else:
            shown = _padded(pair.actual, size, len(elements or ()))
        if shown is None or elements is None or len(shown) != size or len(elements) > size:
            return self._differ(pair)
        if not all(map(_is_zero, shown[len(elements) :])):
            return self._differ(pair, {"$allocated": size, "$elements": shown})
        inner = pair._replace(expected=elements, actual=shown[: len(elements)])
        if elements is given:
            return self._list(inner)
        return [] if elements == inner.actual else self._differ(pair)


def _missing(name: str, known: Collection[str]) -> str:
    """Return what stands for a value that is not there: with the name that was meant, if there is one like it."""
    return "; ".join(filter(None, (MISSING, hint(name, known, ""))))


# --- scalars ----------------------------------------------------------------------------------


def same_scalar(expected: Any, actual: Any) -> bool:
    """Whether a scalar of the file stands for the observed one: text and numbers may have been written either way."""
    if isinstance(expected, str):
        return _same_text(expected, actual)
    if isinstance(actual, str):
        return isinstance(expected, int) and actual in (str(expected), _character(expected))
    if isinstance(expected, bool) != isinstance(actual, bool):
        return actual is not None and expected in (0, 1) and bool(expected) == actual
    if isinstance(expected, float) and isinstance(actual, float):
        return _same_float(expected, actual)
    return bool(expected == actual)


def _same_text(expected: str, actual: Any) -> bool:
    if isinstance(actual, Mapping) and "$hex" in actual:
        return _same_codes(expected, actual, padded=True)
    if isinstance(actual, bool) or not isinstance(actual, int | float):
        return bool(expected == actual)
    try:
        return actual == int(expected, 0) if isinstance(actual, int) else _same_float(float(expected), actual)
    except ValueError:
        return False


def _same_float(expected: float, actual: float) -> bool:
    """A file may round a ``float`` to fewer digits than its 32 bits have as a ``double``."""
    if math.isnan(expected) or expected == actual:
        return math.isnan(actual) or expected == actual
    try:
        return bool(struct.unpack("<f", struct.pack("<f", expected))[0] == actual)
    except OverflowError:
        return False


def _same_case(expected: Any, actual: Any) -> bool:
    if isinstance(actual, bool):
        return str(expected).lower() == str(actual).lower()
    return str(expected) == str(actual)


def _character(code: int) -> str | None:
    return chr(code) if 0 <= code <= 0xFFFF else None


def _codes(value: Any, count: int = 0, *, text: bool = False) -> Any:
    """Return the elements of an array as a list, however they are written: as such, as text, or as bytes.

    Two bytes are an element where that makes ``count`` elements. With ``text``, text stays as it is.
    """
    if isinstance(value, Mapping) and "$elements" in value:
        value = value["$elements"]
    if isinstance(value, Mapping) and "$hex" in value:
        data = bytes.fromhex("".join(str(value["$hex"]).split()))
        return memoryview(data).cast("H").tolist() if count and len(data) == 2 * count else list(data)
    if isinstance(value, str):
        return value if text else list(map(ord, value))
    return value if isinstance(value, list) else None


def _same_codes(expected: Any, actual: Any, *, padded: bool = False) -> bool:
    """Whether text or bytes of the file are those observed; with ``padded``, zeros may follow them."""
    wanted = _codes(expected)
    for count in (0, len(_codes(actual) or ()) // 2):
        found = _codes(actual, count)
        if found is not None and wanted + [0] * (padded and len(found) - len(wanted)) == found:
            return True
    return False


def _padded(actual: Any, size: int, count: int) -> Any:
    """Return all elements that an observed array has room for; of text and bytes the room is what the file says."""
    room, shown = None, actual
    if isinstance(actual, Mapping) and "$elements" in actual:
        room, shown = actual["$allocated"], actual["$elements"]
    elements = _codes(shown, count)
    if room is None:
        room = 0 if isinstance(shown, list) else size
    if elements is None or room > MOST_ELEMENTS:
        return None
    return elements + [0] * (room - len(elements))


def _is_empty(value: Any) -> bool:
    """Whether a value is that of an array without elements."""
    return value == [] or (isinstance(value, Mapping) and value.get("$hex") == "")


def _is_zero(value: Any) -> bool:
    """Whether a value is what zeroed storage reads as."""
    if isinstance(value, Mapping):
        return all(_is_zero(inner) for inner in value.values())
    if isinstance(value, list):
        return all(map(_is_zero, value))
    return value in (0, None, False, "", "\0")


def _labelled(value: Any) -> dict[str, Any]:
    """Return the labelled storage inside a value by its label."""
    storage: dict[str, Any] = {}
    pending = [value]
    while pending:
        here = pending.pop()
        if isinstance(here, Mapping):
            if "$label" in here:
                storage[here["$label"]] = here
            pending += here.values()
        elif isinstance(here, list):
            pending += here
    return storage
