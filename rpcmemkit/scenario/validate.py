"""Checking a scenario's data against ``schema.json``, with errors that say where, what was expected, and a remedy.

Names that must mean something (statuses, rules, claims) are formats of the schema.

A value may be nested deeply, and jsonschema recurses. So a reference to ``value`` is not followed: every map in such a
value is checked by itself, with the same schema of one level.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from rpcmemkit import given
from rpcmemkit.claims import claims
from rpcmemkit.data import packaged
from rpcmemkit.errors import ScenarioError
from rpcmemkit.rules import RULES
from rpcmemkit.scenario.document import Document, Path
from rpcmemkit.status import STATUSES, status_code

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_VALUE = "#/$defs/value"
_KINDS = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


class _Names(NamedTuple):
    """Names of one kind: all there are, and what to do about one that means nothing."""

    all: Callable[[], Iterable[str]]
    otherwise: str


_NAMES = {
    "status": _Names(
        lambda: ["ok", *(name for status in STATUSES for name in (status.name, *status.aliases))],
        "its number will do",
    ),
    "rule": _Names(lambda: RULES, "see them all with: rpcmemkit rules"),
    "claim": _Names(claims, "see: rpcmemkit claims"),
}


@cache
def schema() -> dict[str, Any]:
    """Return the schema that ships with the package."""
    return dict(json.loads(packaged("rpcmemkit.scenario", "schema.json")))


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator, FormatChecker, validators

    whole, formats = schema(), FormatChecker(())
    for kind, names in _NAMES.items():
        formats.checks(kind)(lambda name, names=names: not isinstance(name, str) or name in names.all())
    formats.checks("status", (KeyError, ValueError))(_is_status)  # a number is one too
    formats.checks("visible")(lambda text: not isinstance(text, str) or text.isprintable())
    one_level = {**whole["$defs"]["value"], "$defs": {**whole["$defs"], "value": True}}
    level = Draft202012Validator(one_level, format_checker=formats)
    follow: Any = Draft202012Validator.VALIDATORS["$ref"]

    def reference(validator: Any, target: str, instance: Any, rule: Any) -> Iterator[ValidationError]:
        return _in_value(level, instance) if target == _VALUE else follow(validator, target, instance, rule)

    make: Any = validators  # its stubs leave out the types of what it makes
    checking = make.extend(Draft202012Validator, {"$ref": reference})
    validator: Draft202012Validator = checking(whole, format_checker=formats)
    return validator


def _in_value(level: Draft202012Validator, value: Any) -> Iterator[ValidationError]:
    """Check every map with a ``$`` key inside a value."""
    pending: list[tuple[Path, Any]] = [((), value)]
    while pending:
        path, here = pending.pop()
        if isinstance(here, dict) and any(key.startswith("$") for key in here):
            for error in level.iter_errors(here):
                error.path.extendleft(reversed(path))
                yield error
        inner = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        pending += [((*path, key), item) for key, item in inner if isinstance(item, dict | list)]


def _is_status(status: object) -> bool:
    if isinstance(status, str):
        status_code(status)
    return True


def validate(document: Document) -> None:
    """Check a file's data.

    Raises:
        ScenarioError: what does not fit the format, the first in the file.
    """
    found = list(_validator().iter_errors(document.data))
    if found:
        unknown = [error for error in found if _unknown_key(error)]  # they explain what is missing
        errors = [_located(document, error) for error in unknown or found]
        raise min(errors, key=lambda error: (error.line, error.column))


# --- errors -----------------------------------------------------------------------------------


def _located(document: Document, error: ValidationError) -> ScenarioError:
    path = tuple(error.absolute_path)
    unknown = _unknown_key(error)
    if unknown is not None:
        name, allowed = unknown
        return _unknown(document, (*path, name), name, allowed)
    if error.validator == "format" and error.validator_value in _NAMES:
        kind: Any = error.validator_value
        hint = given.hint(error.instance, _NAMES[kind].all(), _NAMES[kind].otherwise, "`{}`")
        return document.error(path, f"there is no {kind} `{error.instance}`", remedy=hint)
    message, expected = _explain(error)
    return document.error(path, message, expected=expected)


def _unknown_key(error: ValidationError) -> tuple[str, list[str]] | None:
    """Return the key that an error calls unknown, and the keys there are."""
    rule: Any = error.schema
    found: Any = error.instance
    if error.validator == "additionalProperties":
        allowed = list(rule["properties"])
        patterns = rule.get("patternProperties", {})
        names = [key for key in found if key not in allowed and not _matches(key, patterns)]
        return str(names[0]), allowed
    if "propertyNames" in error.absolute_schema_path:
        return str(error.instance), list(rule["enum"])
    return None


def _matches(key: str, patterns: Mapping[str, Any]) -> bool:
    return any(re.search(pattern, key) for pattern in patterns)


def _unknown(document: Document, path: Path, name: str, allowed: list[str]) -> ScenarioError:
    hint = given.hint(name, allowed, "", "`{}`")
    expected = () if hint else tuple(f"`{key}`" for key in allowed)
    return document.error(
        path, f"the key `{name}` does not belong here", key=True, expected=expected, remedy=hint
    )


def _explain(error: ValidationError) -> tuple[str, tuple[str, ...]]:
    """Return what is wrong, and what was expected."""
    rule: Any = error.schema
    value: Any = error.validator_value
    found: Any = error.instance
    description = (rule["description"],) if "description" in rule else ()
    match error.validator:
        case "required":
            missing = [name for name in value if name not in found]
            return f"the key `{missing[0]}` is missing", ()
        case "type":
            kinds = [value] if isinstance(value, str) else value
            return f"{_shown(error.instance)} does not fit here", (_either([_KINDS[kind] for kind in kinds]),)
        case "enum":
            return f"{_shown(error.instance)} does not fit here", tuple(
                item if isinstance(item, str) else json.dumps(item) for item in value
            )
        case "format":
            return f"the label {found!a} has characters that cannot be seen", ()
    if "errorMessage" in rule:
        return rule["errorMessage"], ()
    return f"{_shown(error.instance)} does not fit here", description


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _shown(value: Any) -> str:
    match value:
        case dict():
            return "a map" if value else "an empty map"
        case list():
            return "a list" if value else "an empty list"
        case bool() | None:
            return json.dumps(value)
        case str():
            return f"the text '{value}'" if len(value) <= 40 else f"the text '{value[:37]}…'"
    return f"the number {value}"
