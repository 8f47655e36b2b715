"""Interfaces, values and routines made at random, for the tests that hold promises against what happens.

Everything is drawn from one :class:`random.Random`: the test that no promise is too wide needs few forms that come
often. What may be drawn at all, and shrinks, is in `tests/strategies`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from rpcmemkit import Environment, Session
from rpcmemkit.errors import IdlError
from rpcmemkit.operations import Operations
from rpcmemkit.plan import ArrayPlan, PointerPlan, StructPlan
from rpcmemkit.stubs.server import ServerCall
from rpcmemkit.walk import Place, pointers_in, reach
from tests.engine.helpers import idl_text

DEPTH = 3
KINDS = ("unique", "ptr", "ref")


@dataclass
class Field:
    """A structure member: ``form`` says what it is, ``target`` which structure it names or holds (-1 for a number)."""

    name: str
    form: str
    kind: str = "unique"
    target: int = -1


@dataclass
class Made:
    """An interface with one procedure, the arguments of a call, and the environment."""

    structs: list[list[Field]] = field(default_factory=list)
    parameters: list[tuple[str, str, str, int]] = field(default_factory=list)
    """Name, direction, form, and the structure it is about."""
    result: str = "void"
    osf: bool = False

    # --- text ---

    @property
    def body(self) -> str:
        types = "\n".join(self._struct(number) for number in range(len(self.structs)))
        parameters = ", ".join(text for each in self.parameters for text in self._parameter(*each))
        return f"{types}\n{self.result} f({parameters or 'void'});"

    def _struct(self, number: int) -> str:
        union = f"typedef [switch_type(short)] union {{ [case(0)] long v; [case(1, 2)] {self._type(number - 1)} *p; "
        union += f"[case(3), string] char *s; [default] ; }} U{number};\n"
        members = " ".join(self._member(each, number) for each in self.structs[number])
        has_union = any(each.form == "union" for each in self.structs[number])
        return f"{union if has_union else ''}typedef struct S{number} {{ {members} }} S{number};"

    def _type(self, number: int) -> str:
        return f"struct S{number}" if number >= 0 else "long"

    def _member(self, each: Field, number: int) -> str:
        name, kind, type_ = each.name, each.kind, self._type(each.target)
        match each.form:
            case "value":
                return f"long {name};"
            case "inline":
                return f"{type_} {name};"
            case "pointer":
                return f"[{kind}] {type_} *{name};"
            case "double":
                return f"[{kind}] {type_} **{name};"
            case "string":
                return f"[string, {kind}] char *{name};"
            case "sized":
                return f"long {name}_n; [size_is({name}_n), {kind}] {type_} *{name};"
            case "sized pointers":
                return f"long {name}_n; [size_is({name}_n), {kind}] {type_} **{name};"
            case "fixed":
                return f"{type_} *{name}[2];"
        return f"short {name}_t; [switch_is({name}_t)] U{number} {name};"

    def _parameter(self, name: str, way: str, form: str, target: int) -> list[str]:
        type_ = f"S{target}"
        match form:
            case "value":
                return [f"[{way}] {type_} {name}"]
            case "string":
                return [f"[{way}, string] char *{name}"]
            case "double":
                return [f"[{way}] {type_} **{name}"]
            case "sized":
                return [f"[in] long {name}_n", f"[{way}, size_is({name}_n)] {type_} *{name}"]
            case "sized pointers":
                return [f"[in] long {name}_n", f"[{way}, size_is({name}_n)] {type_} **{name}"]
            case "unique" | "ptr":
                return [f"[{way}, {form}] {type_} *{name}"]
        return [f"[{way}] {type_} *{name}"]


def make(random: Random) -> Made:
    """Return an interface."""
    made = Made(osf=random.random() < 0.2)
    for number in range(random.randint(1, 3)):
        made.structs.append([_field(random, f"m{index}", number) for index in range(random.randint(1, 4))])
    for index in range(random.randint(1, 3)):
        way = random.choice(("in", "out", "in, out"))
        forms = ["ref", "double", "sized", "sized pointers", *(["unique", "ptr"] if "in" in way else [])]
        forms += ["value", "string"] if way == "in" else []
        made.parameters.append((f"p{index}", way, random.choice(forms), random.randrange(len(made.structs))))
    made.result = random.choice(("void", "long", "S0 *"))
    return made


def _field(random: Random, name: str, number: int) -> Field:
    forms = ["value", "pointer", "pointer", "double", "string", "sized", "sized pointers", "fixed", "union"]
    form = random.choice([*forms, *(["inline"] if number else [])])
    earlier = random.randint(-1, number - 1)
    if form in ("pointer", "double", "sized", "sized pointers", "fixed"):
        kind = random.choice(KINDS)
        itself = kind != "ref" and form != "sized" and random.random() < 0.5
        return Field(name, form, kind, number if itself else earlier)
    if form == "inline":
        return Field(name, form, target=random.randrange(number))
    return Field(name, form, random.choice(KINDS))


# --- values ---------------------------------------------------------------------------------------


class Values:
    """Values for the types of an interface. ``rich`` is how likely a pointer is not null."""

    def __init__(self, made: Made, random: Random, rich: float = 0.7) -> None:
        self.made = made
        self.random = random
        self.rich = rich
        self.shared: dict[int, list[dict[str, Any]]] = {}

    def arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, way, form, target in self.made.parameters:
            if "sized" in form:
                found[f"{name}_n"] = self.random.randint(0, 3)
            if "in" in way.split(", ") or self.random.random() < 0.3:
                found[name] = self._argument(form, target, found.get(f"{name}_n", 0))
        return found

    def _argument(self, form: str, target: int, count: int) -> Any:
        match form:
            case "string":
                return self.text()
            case "sized":
                return [self.struct(target) for _ in range(count)]
            case "sized pointers":
                return [self.maybe(target, 0) for _ in range(count)]
            case "double" | "unique" | "ptr":
                return self.maybe(target, 0)
        return self.struct(target)

    def text(self) -> str:
        return "abc"[: self.random.randint(0, 3)]

    def target(self, number: int, depth: int, kind: str = "") -> Any:
        return self.struct(number, depth, kind == "ptr") if number >= 0 else self.random.randint(0, 99)

    def maybe(self, number: int, depth: int, kind: str = "unique") -> Any:
        wanted = kind == "ref" or (depth < DEPTH and self.random.random() < self.rich)
        return self.target(number, depth + 1, kind) if wanted else None

    def struct(self, number: int, depth: int = 0, full: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if full:  # what a unique pointer names, nothing else may name
            self.shared.setdefault(number, []).append(found)
        for each in self.made.structs[number]:
            self._member(each, number, depth, found)
        return found

    def _member(self, each: Field, number: int, depth: int, found: dict[str, Any]) -> None:
        name, random = each.name, self.random
        present = each.kind == "ref" or (depth < DEPTH and random.random() < self.rich)
        match each.form:
            case "value":
                found[name] = random.randint(0, 99)
            case "inline":
                found[name] = self.struct(each.target, depth)
            case "pointer":
                share = each.kind == "ptr" and each.target in self.shared and random.random() < 0.2
                found[name] = (
                    random.choice(self.shared[each.target])
                    if share
                    else self.maybe(each.target, depth, each.kind)
                )
            case "double":
                found[name] = self.maybe(each.target, depth) if present else None
                if found[name] is None and present:
                    found[name] = self.target(each.target, DEPTH) if each.target < number else None
                if found[name] is None and each.kind == "ref":
                    found[name] = self.target(each.target, DEPTH)
            case "string":
                found[name] = self.text() if present else None
            case "sized" | "sized pointers":
                count = found[f"{name}_n"] = random.randint(0, 2)
                one = self.target if each.form == "sized" else self.maybe
                found[name] = [one(each.target, depth + 1) for _ in range(count)] if present else None
            case "fixed":
                found[name] = [self.maybe(each.target, depth) for _ in range(2)]
            case "union":
                found[f"{name}_t"] = tag = random.randint(0, 4)
                found[name] = {
                    "$case": tag if tag < 4 else "default",
                    "$value": self._arm(tag, number, depth),
                }
                if tag == 4:
                    del found[name]["$value"]

    def _arm(self, tag: int, number: int, depth: int) -> Any:
        if tag in (1, 2):
            return self.maybe(number - 1, depth)
        return self.text() if tag == 3 else self.random.randint(0, 99)


# --- routines -------------------------------------------------------------------------------------


class Routine:
    """A server routine that nulls, frees, replaces, adds and shares what it finds below its parameters."""

    def __init__(self, made: Made, random: Random) -> None:
        self.values = Values(made, random, rich=0.5)
        self.random = random

    def __call__(self, call: ServerCall) -> None:
        self.call = call
        self.operations = Operations(call.program, "routine")
        roots = [self.call.place(name) for name, _, _ in call.frame.all if name != "return"]
        for _ in range(2):
            self._pointers = self._embedded(roots)
            for pointer in self._pointers:
                self._change(pointer, roots)
        self._fill(roots)
        if call.result is not None and self.random.random() < 0.8:
            self._result(call.result)

    def _embedded(self, roots: list[Place]) -> list[Place]:
        """The pointers below the parameters; not the parameters themselves, which are the routine's own copies."""
        space = self.call.program.space
        inner = [place for place in reach(space, roots).values() if space.capacity(place.address)]
        return [pointer for place in inner for pointer in pointers_in(space, place)]

    def _values(self, roots: list[Place]) -> list[int]:
        """What all pointers hold, the parameters themselves included."""
        space = self.call.program.space
        tops = [root for root in roots if isinstance(root.plan, PointerPlan)]
        return [space.pointer_at(p.address) for p in (*tops, *self._embedded(roots))]

    def _change(self, pointer: Place, roots: list[Place]) -> None:
        space = self.call.program.space
        if not space.capacity(pointer.address):
            return  # the node was freed meanwhile
        held = space.pointer_at(pointer.address)
        match self.random.randint(0, 7):
            case 0 | 1 if not pointer.plan.is_ref:
                self.operations.assign(pointer, 0)
            case 2 | 3 if not held or self.random.random() < 0.5:
                self._allocate(pointer)
            case 4 if self._is_allocated(held, roots):
                self.operations.free(pointer)
                self.operations.assign(pointer, 0)
            case 5 if pointer.plan.is_full and isinstance(pointer.plan.target, StructPlan):
                self._share(pointer)

    def _is_allocated(self, address: int, roots: list[Place]) -> bool:
        """Whether a careful routine may free this: a live block from the allocator, and nothing shares it."""
        block = self.call.program.space.block(address) if address else None
        alone = block is not None and self._values(roots).count(address) == 1
        return (
            alone
            and block.live
            and block.address == address
            and block.kind in ("midl_user", "RpcSs", "application")
        )

    def _share(self, pointer: Place) -> None:
        space, target = self.call.program.space, pointer.plan.target
        held = [p for p in self._pointers if space.capacity(p.address) and space.pointer_at(p.address)]
        same = [p for p in held if p.plan.is_full and p.plan.target is target]
        if same:
            self.operations.assign(pointer, space.pointer_at(self.random.choice(same).address))

    def _allocate(self, pointer: Place) -> None:
        value = self._value(pointer)
        if value is not None:
            self.operations.allocate(pointer, value)

    def _value(self, pointer: Place) -> Any:
        """A value for what a pointer names, of the size that is declared where the size is declared."""
        target, values = pointer.plan.target, self.values
        if isinstance(target, PointerPlan):
            return self._value(Place(target, 0, pointer.scope, None))
        if isinstance(target, ArrayPlan) and target.measures_itself:
            return values.text()
        if isinstance(target, ArrayPlan):
            count = target.count(self.call.program.space, pointer.scope)
            return [self._element(target.element) for _ in range(count)]
        return self._element(target)

    def _element(self, plan: Any) -> Any:
        if isinstance(plan, PointerPlan):
            return self._element(plan.target) if plan.is_ref or self.random.random() < 0.5 else None
        if isinstance(plan, StructPlan):
            return self.values.struct(int(plan.type.name[1:]), 2)
        return self.random.randint(0, 99)

    def _fill(self, roots: list[Place]) -> None:
        """Give every reference pointer something to name: without it nothing could be marshalled."""
        space = self.call.program.space
        pending = True
        while pending:
            refs = (p for p in self._embedded(roots) if p.plan.is_ref)
            pending = [p for p in refs if not space.pointer_at(p.address)]
            for pointer in pending:
                self._allocate(pointer)

    def _result(self, place: Place) -> None:
        value = self._value(place) if isinstance(place.plan, PointerPlan) else 7
        self.operations.result_storage(place, value)
        for pointer in self._embedded([place]):
            if (
                pointer.plan.is_full
                and isinstance(pointer.plan.target, StructPlan)
                and self.random.random() < 0.8
            ):
                self._share(pointer)


def carry_out(random: Random) -> tuple[Made, Session, Any]:
    """Make an interface and one call of it."""
    made = make(random)
    sizes = {side: random.choice((4, 8, 8)) for side in ("client_pointer_size", "server_pointer_size")}
    failing = {"client_fail_after": random.randint(0, 3)} if random.random() < 0.15 else {}
    syntax = "ndr64" if random.random() < 0.2 and not made.osf else "ndr20"
    session = _open(made, {**sizes, **failing, "transfer_syntax": syntax})
    session.set_routine("f", Routine(made, random))
    return made, session, session.try_call("f", Values(made, random).arguments())


def _open(made: Made, environment: dict[str, Any]) -> Session:
    try:
        return Session(idl_text(made.body), None, Environment(**environment, osf=made.osf))
    except IdlError:
        if not made.osf:
            raise
        made.osf = False  # DCE refuses some of what Microsoft's compiler takes
        return Session(idl_text(made.body), None, Environment(**environment))
