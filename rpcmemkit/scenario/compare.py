"""Comparing what a file expects with what happened: only what the file says is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rpcmemkit.audit import STORAGE_NAMES
from rpcmemkit.errors import RpcMemKitError, UsageError
from rpcmemkit.paths import resolve
from rpcmemkit.plan import PointerPlan
from rpcmemkit.scenario.run import Outcome
from rpcmemkit.status import status_code

MISSING = "(nothing)"


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
        actual = observed.get(key, MISSING)
        match key:
            case "status":
                found += _status(expected, actual)
            case "server_sees" | "client_after":
                names = set(outcome.call.labels.addresses) if key == "client_after" else set()
                found += Values(actual, names).compare(key, expected)
            case "server_storage":
                found += _storage(outcome, expected)
            case "orphaned":
                if sorted(expected) != sorted(actual):
                    found.append(Difference(key, expected, actual))
            case "request" | "response":
                if str(expected).lower() != actual:
                    found.append(Difference(key, expected, actual))
            case _:
                if expected != actual:
                    found.append(Difference(key, expected, actual))
    return found


def _status(expected: Any, actual: Any) -> list[Difference]:
    try:
        same = status_code(expected) == status_code(actual)
    except KeyError:
        same = False
    return [] if same else [Difference("status", expected, actual)]


def _storage(outcome: Outcome, expected: Mapping[str, Any]) -> list[Difference]:
    call = outcome.call
    if "server entry" not in call.trace.snapshots:
        return [Difference("server_storage", dict(expected), MISSING)]
    space = call.space("server entry")
    frame = call.trace.snapshots["server entry"].frame
    found = []
    for path, wanted in expected.items():
        try:
            names = call.server_frame.plan.by_name
            place = resolve(space, path, lambda name: call.server_frame.place(name, frame) if name in names else None)  # noqa: B023
            if not isinstance(place.plan, PointerPlan):
                raise UsageError(f"{path!r} is no pointer")
            address = space.pointer_at(place.address)
            block = space.block(address) if address else None
            actual: Any = STORAGE_NAMES.get(block.kind, block.kind) if block else None
        except RpcMemKitError as error:
            actual = str(error)
        if actual != wanted:
            found.append(Difference(f"server_storage.{path}", wanted, actual))
    return found


class Values:
    """Compares values whose storage has identity: labels on both sides must name the same storage."""

    def __init__(self, actual: Mapping[str, Any], known_labels: set[str]) -> None:
        self.actual = actual
        self.known = known_labels
        self.storage: dict[str, Any] = {}
        self.labels: dict[str, str] = {}
        self.found: list[Difference] = []
        self._visiting: set[tuple[int, str]] = set()
        _collect(actual, self.storage)

    def compare(self, path: str, expected: Mapping[str, Any]) -> list[Difference]:
        """Return the disagreements below ``path``."""
        for name, value in expected.items():
            if not isinstance(self.actual, Mapping) or name not in self.actual:
                self.found.append(Difference(f"{path}.{name}", value, MISSING))
            else:
                self._value(f"{path}.{name}", value, self.actual[name])
        return self.found

    def _value(self, path: str, expected: Any, actual: Any) -> None:
        if isinstance(expected, Mapping) and ("$alias" in expected or "$label" in expected or "$new" in expected):
            self._identity(path, expected, actual)
            return
        actual = self._unwrap(actual)
        if isinstance(expected, Mapping) and "$hex" in expected:
            self._octets(path, expected, actual)
        elif isinstance(expected, Mapping) and "$allocated" in expected:
            self._allocated(path, expected, actual)
        elif isinstance(expected, Mapping):
            self._map(path, expected, actual)
        elif isinstance(expected, list):
            self._list(path, expected, actual)
        elif not _same_scalar(expected, actual):
            self.found.append(Difference(path, expected, actual))

    def _identity(self, path: str, expected: Mapping[str, Any], actual: Any) -> None:
        label = expected.get("$label", expected.get("$alias"))
        if not isinstance(actual, Mapping):
            self.found.append(Difference(path, expected, actual))
            return
        other = actual.get("$label", actual.get("$alias"))
        is_new = "$new" in actual or ("$alias" in actual and "$new" in self.storage.get(str(other), {}))
        if bool(expected.get("$new")) != is_new and "$alias" not in expected:
            self.found.append(Difference(path, dict(expected), _brief(actual)))
            return
        if label is not None and not self._bind(str(label), other):
            self.found.append(Difference(path, f"storage {label}", f"storage {other or 'of its own'}"))
            return
        if "$value" in expected:
            mark = (id(expected), str(other))
            if mark not in self._visiting:
                self._visiting.add(mark)
                self._value(path, expected["$value"], self._unwrap(actual))

    def _bind(self, label: str, other: Any) -> bool:
        """Note that a label of the file names the same storage as one of the run; it must always be the same."""
        if other is None:
            return not any(label == known for known in self.labels) and self._bind(label, f"only {label}")
        other = str(other)
        if (label in self.known or other in self.known) and label != other:
            return False
        if other in self.labels.values() and self.labels.get(label) != other:
            return False
        return self.labels.setdefault(label, other) == other

    def _unwrap(self, actual: Any) -> Any:
        if isinstance(actual, Mapping) and "$alias" in actual:
            actual = self.storage.get(actual["$alias"], actual)
        if isinstance(actual, Mapping) and ("$label" in actual or "$new" in actual):
            return actual.get("$value")
        return actual

    def _map(self, path: str, expected: Mapping[str, Any], actual: Any) -> None:
        if not isinstance(actual, Mapping):
            self.found.append(Difference(path, dict(expected), actual))
            return
        for name, value in expected.items():
            where = f"{path}.{name}"
            if name not in actual:
                self.found.append(Difference(where, value, MISSING))
            elif name == "$case":
                if str(value) != str(actual[name]):
                    self.found.append(Difference(where, value, actual[name]))
            else:
                self._value(where, value, actual[name])

    def _list(self, path: str, expected: Sequence[Any], actual: Any) -> None:
        if isinstance(actual, Mapping) and "$elements" in actual:
            actual = actual["$elements"]
        if isinstance(actual, Mapping) and "$hex" in actual:
            actual = list(bytes.fromhex(actual["$hex"]))
        if isinstance(actual, str):
            actual = list(actual)
        if not isinstance(actual, list) or len(actual) != len(expected):
            self.found.append(Difference(path, list(expected), actual))
            return
        for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
            self._value(f"{path}[{index}]", one, other)

    def _allocated(self, path: str, expected: Mapping[str, Any], actual: Any) -> None:
        """Compare an array with the room behind its elements, which is zero where the file does not say."""
        size, given = expected["$allocated"], list(expected.get("$elements", []))
        shown = actual
        if isinstance(actual, Mapping) and "$elements" in actual:
            shown = list(actual["$elements"]) + [0] * (actual["$allocated"] - len(actual["$elements"]))
        if not isinstance(shown, list) or len(shown) != size:
            self.found.append(Difference(path, dict(expected), actual))
            return
        rest = shown[len(given) :]
        self._list(path, given, shown[: len(given)])
        if any(value not in (0, None, False) for value in rest):
            self.found.append(Difference(path, dict(expected), actual))

    def _octets(self, path: str, expected: Mapping[str, Any], actual: Any) -> None:
        wanted = bytes.fromhex(str(expected["$hex"]))
        if isinstance(actual, Mapping) and "$hex" in actual:
            same = bytes.fromhex(actual["$hex"]) == wanted
        else:
            same = isinstance(actual, str) and actual.encode("latin-1", "replace") == wanted
        if not same:
            self.found.append(Difference(path, dict(expected), actual))


def _same_scalar(expected: Any, actual: Any) -> bool:
    if isinstance(expected, str) and isinstance(actual, Mapping) and "$hex" in actual:
        return bytes.fromhex(actual["$hex"]).rstrip(b"\0") == expected.encode("latin-1", "replace")
    if isinstance(expected, str) and isinstance(actual, int) and not isinstance(actual, bool):
        return expected == str(actual)
    if isinstance(expected, bool) != isinstance(actual, bool):
        return expected in (0, 1) and actual in (0, 1) and expected == actual
    return bool(expected == actual)


def _collect(value: Any, storage: dict[str, Any]) -> None:
    pending = [value]
    while pending:
        here = pending.pop()
        if isinstance(here, Mapping):
            if "$label" in here:
                storage[here["$label"]] = here
            pending += here.values()
        elif isinstance(here, list):
            pending += here


def _brief(actual: Mapping[str, Any]) -> Any:
    return {key: value for key, value in actual.items() if key != "$value"} or dict(actual)
