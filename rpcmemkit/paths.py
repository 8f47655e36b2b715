"""Paths into typed memory: read, printed, resolved.

People read C: ``root->left``, ``(*recs)[2].name``, ``*(p->m)``. Files and labels write every step with a dot:
``root.left``, ``(*recs)[2].name``. The grammar takes both:

    path     = stars name steps | stars operand | operand steps
    operand  = name | "(" path ")"
    steps    = { "." name | "->" name | "[" [ "-" ] number "]" }

A step follows pointers by itself, a star follows one. Stars before a name and steps belong to the first pointer to a
pointer on the way, as ``*first.next`` is ``(*first)->next``; parentheses say it outright. Where the star stands before
``->`` C means the other thing, so that such a path must have its parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rpcmemkit.errors import UsageError
from rpcmemkit.given import meant
from rpcmemkit.kinds import FaultKind
from rpcmemkit.memory import AddressSpace
from rpcmemkit.plan import ArrayPlan, Plan, PointerPlan, StructPlan, UnionPlan
from rpcmemkit.trace import Part, Path
from rpcmemkit.walk import Place, presented, referent, storage_path

LONGEST_PATH = 64
"""Of a longer path the last parts are printed, after an ellipsis: a list of a million nodes has long paths."""
DEEPEST_PATH = 200
"""How many parentheses a path may open."""
CUT = "…"

_HEAD = re.compile(r"\s*((?:\*\s*)*)(?:((?:\$global\.)?[A-Za-z_]\w*)|\()")
_STEP = re.compile(r"\s*(?:(->|\.)\s*([A-Za-z_]\w*)|\[\s*(-?\d+)\s*\])")
_CLOSING = re.compile(r"\s*\)")


# --- printing -----------------------------------------------------------------------------------


def path_text(path: Path | None) -> str:
    """Return a path as files and labels write it: ``root.left``, ``*first.next``, ``*(p.m)``."""
    parts = _last_parts(path)
    stars = next((n for n, part in enumerate(parts[1:]) if part != "*"), len(parts) - 1) if parts else 0
    steps = parts[1 + stars :]
    if "*" not in steps:
        return "*" * stars + "".join(parts[:1] + steps)
    text = parts[0]
    for part in parts[1:]:
        text = _starred(text) if part == "*" else _operand(text) + part
    return text


def c_text(path: Path | None, longest: int = LONGEST_PATH) -> str:
    """Return a path as C writes it, as far as its parts know their types: ``root->left``, ``(*recs)[2].name``."""
    parts = _last_parts(path, longest)
    if not parts:
        return ""
    text: str = parts[0]
    plan: Any = getattr(text, "plan", None)
    for part in parts[1:]:
        text = _starred(text) if part == "*" else _c_step(text, plan, part)
        plan = _leads_to(plan, part)
    return text


def storage_name(place: Place) -> str:
    """Return what storage is called: as the pointer that leads to it, in C."""
    return c_text(storage_path(place))


def storage_label(place: Place) -> str:
    """Return the label of storage: the path of the pointer that leads to it."""
    return path_text(storage_path(place))


def is_cut(text: str) -> bool:
    """Whether a printed path is only the end of one, so that others may look the same."""
    return CUT in text


def _last_parts(path: Path | None, longest: int = LONGEST_PATH) -> list[str]:
    parts: list[str] = []
    while path is not None and len(parts) < longest:
        path, part = path
        parts.append(part)
    if path is not None:
        parts.append(Part(CUT, getattr(path[1], "plan", None)))
    parts.reverse()
    return parts


def _starred(text: str) -> str:
    return f"*{text}" if _closed(text) else f"*({text})"


def _closed(text: str) -> bool:
    """Whether stars may stand directly before a text: it is a name, or parentheses hold all of it."""
    inner = text.lstrip("*")
    return bool(re.fullmatch(r"(\$global\.)?\w+|…", inner)) or (inner[:1] == "(" and _encloses(inner))


def _encloses(text: str) -> bool:
    depth = 0
    for at, sign in enumerate(text):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if not depth:
            return at == len(text) - 1
    return False


def _operand(text: str) -> str:
    return f"({text})" if text.startswith("*") else text


def _c_step(text: str, plan: Any, part: str) -> str:
    through = isinstance(plan, PointerPlan)
    value = _value(plan)
    if part.startswith("["):
        whole = through and isinstance(value, ArrayPlan) and not plan.type.to_elements
        return (f"({_starred(text)})" if whole else _operand(text)) + part
    link = _operand(text) + ("->" if through else ".")
    if isinstance(value, UnionPlan) and value.union_name and part != f".{value.tag_name}":
        link += f"{value.union_name}."
    return link + part.removeprefix(".")


def _value(plan: Any) -> Any:
    """Return the plan of what a pointer leads to; of anything else its own."""
    return _shown(plan.target) if isinstance(plan, PointerPlan) else _shown(plan)


def _shown(plan: Any) -> Any:
    while hasattr(plan, "presented"):
        plan = plan.presented
    return plan


def _leads_to(plan: Any, part: str) -> Any:
    if isinstance(part, Part):
        return _shown(part.plan)
    value = _value(plan)
    if part == "*":
        return value
    return _shown(value.element) if isinstance(value, ArrayPlan) else None


# --- reading ------------------------------------------------------------------------------------


def parse(text: str) -> Path:
    """Return the path that a text writes; stars before a name belong to it.

    Raises:
        UsageError: it is none.
    """
    path, at = _path(text, 0, 0)
    if text[at:].strip():
        raise _no_path(text, f"cannot read {text[at:]!r}")
    return path


def _path(text: str, at: int, depth: int) -> tuple[Path, int]:
    """Read a path from a place in a text on; return it with the place behind it."""
    head = _HEAD.match(text, at)
    if head is None:
        raise _no_path(text, "write name.member, name[0], *name or (*name).member")
    stars, name, at = head[1].count("*"), head[2], head.end()
    if name:
        path = _follow_often((None, name), stars)
    elif depth > DEEPEST_PATH:
        raise _no_path(text, "too many parentheses")
    else:
        path, at = _path(text, at, depth + 1)
        closing = _CLOSING.match(text, at)
        if closing is None:
            raise _no_path(text, "a parenthesis is not closed")
        at = closing.end()
    while part := _STEP.match(text, at):
        if stars and (part[1] == "->" or not name):
            raise _no_path(text, "a star before such steps needs parentheses: (*p)->m or *(p->m)")
        path, at = (path, f".{part[2]}" if part[2] else f"[{int(part[3])}]"), part.end()
    return path if name else _follow_often(path, stars), at


def _follow_often(path: Path, stars: int) -> Path:
    for _ in range(stars):
        path = (path, "*")
    return path


def _no_path(text: str, why: str) -> UsageError:
    return UsageError(f"{text!r} is not a path: {why}")


# --- resolving ----------------------------------------------------------------------------------


def resolve(space: AddressSpace, path: str, root: Callable[[str], Place | None]) -> Place:
    """Return the place that a path leads to.

    Raises:
        UsageError: the path is malformed or leads to nothing.
        MemoryFault: it goes through a pointer that may not be followed.
    """
    loose = len(path) - len(path.lstrip().lstrip("*")) if _is_loose(path) else 0
    parts = _all_parts(parse(path))
    place = root(parts[0])
    if place is None:
        raise UsageError(f"{path!r}: nothing is called {parts[0].removeprefix('$global.')!r} here")
    if loose and len(parts) > 1 + loose:
        return _loosely(space, place, loose, parts[1 + loose :], path)
    for part in parts[1:]:
        place = follow(space, place, path) if part == "*" else step(space, place, part, path)
    return place


def _is_loose(path: str) -> bool:
    """Whether the stars of a path may belong to any pointer to a pointer on its way."""
    return bool(re.match(r"\s*\*+\s*[$A-Za-z_]", path))


def _loosely(space: AddressSpace, place: Place, stars: int, steps: list[str], path: str) -> Place:
    """Resolve ``*p.m``: the star belongs to ``p`` if that is a pointer to a pointer, else to ``p.m``."""
    levels = _levels(place.plan)
    for part in steps:
        while stars and _levels(place.plan) > 1:
            place, stars, levels = follow(space, place, path), stars - 1, levels - 1
        place = step(space, place, part, path)
    while stars and _levels(place.plan) > 1:
        place, stars = follow(space, place, path), stars - 1
    if stars > levels:
        raise UsageError(f"{path!r}: there is no pointer to follow")
    return place


def _levels(plan: Plan) -> int:
    """Return how many pointers stand one above the other."""
    levels = 0
    while isinstance(plan, PointerPlan):
        plan, levels = plan.target, levels + 1
    return levels


def _all_parts(path: Path | None) -> list[str]:
    parts: list[str] = []
    while path is not None:
        path, part = path
        parts.append(part)
    return parts[::-1]


def follow(space: AddressSpace, place: Place, path: str, hint: str = "") -> Place:
    """Return what the pointer at a place leads to; ``hint`` says what to do if it is null.

    Raises:
        UsageError: it is no pointer.
        MemoryFault: it is null.
    """
    if not isinstance(place.plan, PointerPlan):
        raise UsageError(f"{path!r}: there is no pointer to follow")
    target = referent(space, place)
    if target is None:
        why = f"{path}: a null pointer is followed, {c_text(place.path)}{hint}"
        raise space.fault(FaultKind.NULL, 0, why, "routine")
    return target


def value_place(space: AddressSpace, place: Place, path: str, hint: str = "") -> Place:
    """Follow pointers from a place until something is no pointer."""
    while isinstance(place.plan, PointerPlan):
        place = follow(space, place, path, hint)
    return place


def step(space: AddressSpace, place: Place, part: str, path: str) -> Place:
    """Return the place of a member, ``.name``, or an element, ``[i]``, of what a place leads to.

    Raises:
        UsageError: there is none.
        MemoryFault: a pointer on the way may not be followed.
    """
    place = value_place(space, place, path)
    plan, name = place.plan, part.removeprefix(".")
    if part.startswith("[") and isinstance(plan, ArrayPlan):
        element = place.element(plan, int(part[1:-1]))
        space.check_step(place.address, element.address - place.address, plan.stride)
        return presented(element)
    if part.startswith(".") and isinstance(plan, StructPlan) and name in plan.by_name:
        return presented(place.member(plan.by_name[name]))
    if part.startswith(".") and isinstance(plan, UnionPlan):
        return _arm(plan, place, name, path)
    members = [*plan.by_name] if isinstance(plan, StructPlan) and part.startswith(".") else []
    raise UsageError(f"{path!r}: nothing is called {part!r} there{meant(name, members) if members else ''}")


def _arm(plan: UnionPlan, place: Place, name: str, path: str) -> Place:
    if plan.tag_of is None and name == plan.union_name:
        return place
    if plan.tag_of is None and name == plan.tag_name:
        return Place(plan.tag, place.address, place.scope, (place.path, "." + name))
    for arm in (*plan.arms.values(), plan.default):
        if arm is not None and arm.name == name and (held := place.arm(plan, arm)):
            return presented(held)
    arms = dict.fromkeys(arm.name for arm in (*plan.arms.values(), plan.default) if arm and arm.plan)
    raise UsageError(f"{path!r}: the union has no arm {name!r}{meant(name, arms)}")
