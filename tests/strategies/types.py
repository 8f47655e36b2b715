"""Random interfaces: a small model of types, its IDL text, and the strategies that draw it.

The model is the tests' own, not the library's, so that what a stub should receive can be said without asking a stub.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

from hypothesis import strategies as st

# --- the model ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scalar:
    """A base type by its name in IDL."""

    name: str


@dataclass(frozen=True)
class Enum:
    name: str
    v1: bool
    labels: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Text:
    """Characters up to a terminator: an array of ``room`` elements, or what a pointer points to."""

    wide: bool
    room: int | None = None
    size: Count | None = None


@dataclass(frozen=True)
class Count:
    """What a size, a length or a first index is read from: a member or parameter, and what is added to it."""

    name: str
    type: str = "long"
    plus: int = 0

    @property
    def text(self) -> str:
        return f"{self.name} + {self.plus}" if self.plus else self.name


@dataclass(frozen=True)
class Array:
    element: Type
    bound: int | None = None
    size: Count | None = None
    length: Count | None = None
    first: Count | None = None
    open: bool = False
    """Written with brackets, not as a pointer: the conformant end of a structure."""

    @property
    def counts(self) -> list[Count]:
        return [each for each in (self.size, self.length, self.first) if each]


@dataclass(frozen=True)
class Pointer:
    """A pointer; ``typedef`` is the name of its type where it has one.

    Its ``kind`` may be ``context``: a handle, which only the server's routines know as a pointer.
    """

    kind: str
    target: Type
    typedef: str = ""


@dataclass(frozen=True)
class Member:
    """A member or parameter. ``counts`` marks what another one is sized by or switched on: it has no value of its own."""

    name: str
    type: Type
    counts: bool = False


@dataclass(frozen=True)
class Record:
    name: str
    members: tuple[Member, ...]

    @property
    def conformant(self) -> bool:
        return bool(self.members) and isinstance(self.members[-1].type, Array) and self.members[-1].type.open


@dataclass(frozen=True)
class Again:
    """The structure that this is part of."""

    name: str


@dataclass(frozen=True)
class Arm:
    cases: tuple[int, ...]
    member: Member | None


@dataclass(frozen=True)
class Union:
    """A union: its discriminant is a member beside it (``tag``), or its own if it is encapsulated."""

    name: str
    arms: tuple[Arm, ...]
    default: Arm | None
    encapsulated: bool = False
    tag: str = ""

    def arm(self, case: int) -> Arm | None:
        return next((arm for arm in self.arms if case in arm.cases), self.default)

    @property
    def members(self) -> tuple[Member, ...]:
        every = (*self.arms, self.default)
        return tuple(arm.member for arm in every if arm and arm.member)


Type: TypeAlias = "Scalar | Enum | Text | Array | Pointer | Record | Again | Union"
STEP = re.compile(r"\*|\[\d+\]|\.?\w+")


@dataclass(frozen=True)
class Parameter:
    ways: str
    member: Member

    @property
    def is_in(self) -> bool:
        return "in" in self.ways.split(", ")

    @property
    def is_out(self) -> bool:
        return "out" in self.ways


@dataclass
class Interface:
    """An interface with one procedure ``f``, and ``Open`` if it has a type of context handles."""

    default: str
    is_object: bool
    types: list[Record | Union | Enum | Pointer] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    result: Type | None = None
    settings: dict[str, list[str]] = field(default_factory=dict)
    """What the ACF says of a name: of a typedef, of a parameter, or of ``f``."""
    attributes: str = ""

    @cached_property
    def records(self) -> dict[str, Record]:
        return {each.name: each for each in self.types if isinstance(each, Record)}

    @cached_property
    def handle(self) -> Pointer | None:
        """The type of its context handles."""
        found = (each for each in self.types if isinstance(each, Pointer) and each.kind == "context")
        return next(found, None)

    @property
    def enables(self) -> bool:
        """Whether the client stub may use the RpcSs package."""
        return "enable_allocate" in self.settings.get("f", [])

    def fits(self, environment: dict[str, Any]) -> bool:
        """Whether the attributes exist in an environment; DCE refuses some types besides."""
        if self.attributes and not environment["osf"]:
            return False
        if self.buffers and environment["transfer_syntax"] != "ndr20":
            return False
        return not (environment["osf"] and (self.buffers or self.handle))

    def holds(self, parameter: Parameter) -> bool:
        """Whether a parameter is a context handle, or a pointer to one."""
        return self.handle is not None and parameter.member.type in (self.handle, Pointer("ref", self.handle))

    def in_copy(self, path: str) -> bool:
        """Whether a path leads to what a routine has a copy of: a parameter, or part of one that is passed by value."""
        root = re.findall(r"\w+", path)[0]
        if root == "return":
            return False
        return path == root or isinstance(self.named(root).type, Record | Union | Again)

    @cached_property
    def buffers(self) -> set[str]:
        """The [byte_count] parameters."""
        return {name for name, given in self.settings.items() if f"byte_count({name}_b)" in given}

    @property
    def idl(self) -> str:
        head = f"[{'object, ' * self.is_object}uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default({self.default})]"
        body = "".join(f"  {_definition(each)}\n" for each in self.types)
        parameters = ", ".join(declare(p.member, [p.ways]) for p in self.parameters) or "void"
        result = "void" if self.result is None else declare(Member("f", self.result), [], plain=True)
        name = result if self.result is not None else "void f"
        opens = f"  void Open([out] {self.handle.typedef} *h);\n" if self.handle else ""
        return f"{head}\ninterface i\n{{\n{body}  {self.attributes}{name}({parameters});\n{opens}}}\n"

    @property
    def c_types(self) -> str:
        """The types as a header for C: without the attributes, an encapsulated union as the structure that it is."""
        found = []
        for each in self.types:
            text = _definition(each)
            if isinstance(each, Union) and each.encapsulated:
                arms = re.sub(r"case \d+:|default:", "", text[text.index("{") : text.rindex("}") + 1])
                text = f"typedef struct {each.name} {{ short t; union {arms} u; }} {each.name};"
            found.append(re.sub(r"(?<![\w\]])\[[^\]]*\] ?", "", text))
        return "\n".join(found)

    @property
    def acf(self) -> str | None:
        if not self.settings:
            return None
        typedefs = "".join(
            f"  typedef [{', '.join(self.settings[each.typedef])}] {each.typedef};\n"
            for each in self.types
            if isinstance(each, Pointer) and each.typedef in self.settings
        )
        names = {p.member.name for p in self.parameters} & set(self.settings)
        parameters = ", ".join(f"[{', '.join(self.settings[name])}] {name}" for name in sorted(names))
        of_call = f"[{', '.join(self.settings['f'])}] " if "f" in self.settings else ""
        procedure = f"  {of_call}f({parameters});\n" if of_call or parameters else ""
        return f"interface i\n{{\n{typedefs}{procedure}}}\n"

    # --- asking ---

    def whole(self, type_: Type) -> Type:
        """The structure behind a name."""
        return self.records[type_.name] if isinstance(type_, Again) else type_

    def inside(self, type_: Type, step: str) -> Type:
        """The type one step of a path further: ``*``, ``[0]`` or ``.member``."""
        if step == "*":
            assert isinstance(type_, Pointer)
            return type_.target
        while isinstance(type_, Pointer):
            type_ = type_.target
        type_ = self.whole(type_)
        if isinstance(type_, Array):
            return type_.element
        assert isinstance(type_, Record | Union), (type_, step)
        return next(each.type for each in type_.members if each.name == step[1:])

    def at(self, path: Any) -> Type:
        """The type of the pointer, or of the value, that a path of the library leads to."""
        steps: list[str] = []
        while path is not None:
            path, several = path
            steps += reversed(STEP.findall(several))
        name = steps.pop()
        type_ = self.result if name == "return" else self.named(name).type
        assert type_ is not None
        for step in reversed(steps):
            type_ = self.inside(type_, step)
        return type_

    def named(self, name: str) -> Member:
        return next(p.member for p in self.parameters if p.member.name == name)


# --- IDL ------------------------------------------------------------------------------------------


def _definition(each: Record | Union | Enum | Pointer) -> str:
    match each:
        case Enum(name, v1, labels):
            values = ", ".join(f"{label} = {value}" for label, value in labels)
            return f"typedef {'[v1_enum] ' * v1}enum {{ {values} }} {name};"
        case Record(name, members):
            inside = " ".join(declare(member, []) + ";" for member in members)
            return f"typedef struct {name} {{ {inside} }} {name};"
        case Pointer():
            context = "[context_handle] " if each.kind == "context" else ""
            return f"typedef {context}{_name_of(each.target)} *{each.typedef};"
    if each.encapsulated:
        arms = " ".join(_labels(arm, "case {}:", "default:") for arm in _all_arms(each))
        return f"typedef union {each.name} switch (short t) u {{ {arms} }} {each.name};"
    arms = " ".join(_labels(arm, "[case({})]", "[default]") for arm in _all_arms(each))
    return f"typedef [switch_type(short)] union {{ {arms} }} {each.name};"


def _all_arms(union: Union) -> list[Arm]:
    return [*union.arms, *([union.default] if union.default else [])]


def _labels(arm: Arm, case: str, default: str) -> str:
    inside = declare(arm.member, []) + ";" if arm.member else ";"
    if not arm.cases:
        return f"{default} {inside}"
    if case.startswith("["):
        return f"{case.format(', '.join(map(str, arm.cases)))} {inside}"
    return " ".join(case.format(each) for each in arm.cases) + " " + inside


def declare(member: Member, attributes: list[str], plain: bool = False) -> str:
    """Write a declaration: attributes, type and declarator."""
    type_, stars, dims, sizes = member.type, "", "", []
    attributes = list(attributes)
    while isinstance(type_, Array | Pointer):
        if isinstance(type_, Array):
            dims += "[]" if type_.open else f"[{type_.bound}]"
            if type_.open:
                sizes.append(type_.size.text)
            attributes += _ranges(type_)
            type_ = type_.element
            continue
        if not stars and not dims and not plain and type_.kind != "context":
            attributes.append(type_.kind)
        if type_.typedef:
            break
        stars += "*"
        target = type_.target
        sizes.append("")
        if isinstance(target, Array) and target.bound is None and not target.open:
            sizes[-1] = target.size.text
            attributes += _ranges(target)
            target = target.element
        elif isinstance(target, Text) and target.size:
            sizes[-1] = target.size.text
        type_ = target
    if isinstance(type_, Text):
        attributes.append("string")
        dims += f"[{type_.room}]" if type_.room is not None else ""
    if isinstance(type_, Union) and type_.tag:
        attributes.append(f"switch_is({type_.tag})")
    if any(sizes):
        while not sizes[-1]:
            sizes.pop()
        attributes.append(f"size_is({', '.join(sizes)})")
    shown = f"[{', '.join(attributes)}] " if attributes else ""
    return f"{shown}{_name_of(type_)} {stars}{member.name}{dims}"


def _ranges(array: Array) -> list[str]:
    found = [f"length_is({array.length.text})"] if array.length else []
    return found + ([f"first_is({array.first.text})"] if array.first else [])


def _name_of(type_: Type) -> str:
    match type_:
        case Text(wide):
            return "wchar_t" if wide else "char"
        case Again(name):
            return f"struct {name}"
        case Pointer():
            return type_.typedef
    return type_.name


# --- strategies -----------------------------------------------------------------------------------

NUMBERS = ("long", "short", "hyper", "small", "unsigned long", "unsigned short", "double", "float")
OTHERS = ("boolean", "byte", "char", "wchar_t", "unsigned hyper", "__int3264")
COUNTERS = ("long", "short", "unsigned long", "unsigned small")
KINDS = ("unique", "ptr", "ref")


class Drawing:
    """An interface on its way: what the drawing of its next part may refer to."""

    def __init__(self, draw: Any, default: str, is_object: bool) -> None:
        self.draw = draw
        self.made = Interface(default, is_object)

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def chance(self, of: int) -> bool:
        """True once in ``of`` times; shrinks to False."""
        return self.draw(st.integers(0, of - 1)) == of - 1

    # --- types ---

    def scalar(self) -> Type:
        enums = [each for each in self.made.types if isinstance(each, Enum)]
        if enums and self.chance(4):
            return self.pick(*enums)
        return Scalar(self.pick(*NUMBERS, *OTHERS))

    def flat(self) -> Type:
        """A base type or an earlier structure by value."""
        records = [each for each in self.made.types if isinstance(each, Record) and not each.conformant]
        return self.pick(*records) if records and not self.chance(3) else self.scalar()

    def target(self, itself: str) -> Type:
        """What a pointer points to; a structure for choice."""
        records = [each for each in self.made.types if isinstance(each, Record)]
        if itself and self.draw(st.booleans()):
            return Again(itself)
        return self.pick(*records) if records and not self.chance(4) else self.scalar()

    def text(self) -> Text:
        return Text(self.draw(st.booleans()))

    @property
    def typedefs(self) -> list[Pointer]:
        """The named pointers that are no handles."""
        return [each for each in self.made.types if isinstance(each, Pointer) and each.kind != "context"]

    def inner(self, target: Type) -> Pointer:
        """A pointer that is not the outermost one: its kind is the default."""
        return Pointer(self.made.default, target)

    def count(self, name: str, plus: bool = True) -> Count:
        return Count(name, self.pick(*COUNTERS), self.pick(0, 0, 1) if plus else 0)

    def sized(self, name: str, itself: str = "", plus: bool = True) -> Array:
        """A conformant array below a pointer, perhaps varying."""
        form = self.pick("flat", "flat", "pointers", "texts")
        element = self.flat()
        if form == "pointers" and not (itself and self.made.default == "ref"):
            element = self.inner(self.target(itself))
        elif form == "texts":
            element = self.inner(self.text())
        varying = form != "texts" and self.chance(4)
        length = self.count(f"{name}_l", False) if varying else None
        first = self.count(f"{name}_f", False) if varying and self.chance(3) else None
        return Array(element, None, self.count(f"{name}_n", plus), length, first)

    def fixed(self, name: str) -> Array:
        """A fixed array; a pointer attribute on it would have no effect on its elements."""
        element = self.pick("flat", "pointer", "text")
        bounds = self.pick((2,), (3,), (2, 2))
        inside: Type = self.flat()
        if element != "flat":
            inside = self.inner(self.target("") if element == "pointer" else self.text())
        varying = element != "text" and len(bounds) == 1 and self.chance(4)
        for bound in bounds:
            inside = Array(inside, bound)
        return replace(inside, length=self.count(f"{name}_l", False)) if varying else inside

    def pointer(self, name: str, kind: str, itself: str = "") -> Pointer:
        """A pointer of one or two levels, to one value, an array or text."""
        nested = "" if kind == "ref" else itself
        match self.pick("one", "one", "one", "typedef", "two", "sized", "text", "sized text"):
            case "two":
                inner = "" if self.made.default == "ref" else nested
                return Pointer(kind, self.inner(self.target(inner)))
            case "sized":
                return Pointer(kind, self.sized(name, nested))
            case "text":
                return Pointer(kind, self.text())
            case "sized text":
                return Pointer(kind, replace(self.text(), size=self.count(f"{name}_n")))
            case "typedef":
                if self.typedefs:
                    return replace(self.pick(*self.typedefs), kind=kind)
        return Pointer(kind, self.target(nested))

    # --- definitions ---

    def enum(self) -> None:
        number = len(self.made.types)
        v1 = self.draw(st.booleans())
        values = sorted(self.draw(st.sets(st.integers(0, 70000 if v1 else 32767), min_size=1, max_size=3)))
        labels = tuple((f"E{number}_{index}", value) for index, value in enumerate(values))
        self.made.types.append(Enum(f"E{number}", v1, labels))

    def union(self) -> None:
        number = len(self.made.types)
        arms = []
        for index in range(self.draw(st.integers(1, 3))):
            cases = (index,) if index != 1 else (1, 5)
            arms.append(Arm(cases, self.arm(f"a{index}")))
        default = Arm((), self.arm("d")) if self.draw(st.booleans()) else None
        encapsulated = self.draw(st.booleans())
        self.made.types.append(Union(f"U{number}", tuple(arms), default, encapsulated))

    def arm(self, name: str) -> Member | None:
        match self.pick("flat", "pointer", "text", "nothing"):
            case "nothing":
                return None
            case "pointer":
                return Member(name, Pointer(self.pick("unique", "ptr"), self.target("")))
            case "text":
                return Member(name, Pointer(self.pick("unique", "ptr"), self.text()))
        return Member(name, self.flat())

    def record(self) -> None:
        number = len(self.made.types)
        name = f"S{number}"
        members: list[Member] = []
        for index in range(self.draw(st.integers(1, 4))):
            members += with_counts(self.member(f"m{index}", name))
        if self.chance(6):
            tail = Array(self.flat(), None, Count("tail_n", self.pick(*COUNTERS)), open=True)
            members += with_counts(Member("tail", tail))
        self.made.types.append(Record(name, tuple(members)))

    def tree(self) -> None:
        """A structure with two links of one kind: the commonest there is, and the one to share and cut."""
        name = f"S{len(self.made.types)}"
        kind = self.pick("unique", "ptr")
        links = [Member(each, Pointer(kind, Again(name))) for each in ("left", "right")]
        self.made.types.append(Record(name, (*with_counts(self.member("value", name)), *links)))

    def member(self, name: str, itself: str) -> Member:
        unions = [each for each in self.made.types if isinstance(each, Union)]
        match self.pick("scalar", "pointer", "pointer", "pointer", "flat", "fixed", "text", "union"):
            case "pointer":
                return Member(name, self.pointer(name, self.pick(*KINDS), itself))
            case "flat":
                return Member(name, self.flat())
            case "fixed":
                return Member(name, self.fixed(name))
            case "text":
                return Member(name, Text(self.draw(st.booleans()), self.pick(2, 4)))
            case "union" if unions:
                union = self.pick(*unions)
                tag = "" if union.encapsulated else f"{name}_t"
                return Member(name, replace(union, tag=tag))
        return Member(name, self.scalar())

    def typedef(self) -> None:
        records = [each for each in self.made.types if isinstance(each, Record)]
        if records:
            number = len(self.made.types)
            self.made.types.append(Pointer(self.made.default, self.pick(*records), f"P{number}"))

    def handle(self) -> None:
        """A type of context handles; its state is a structure."""
        records = [each for each in self.made.types if isinstance(each, Record)]
        if records and not self.made.is_object and not self.made.handle:
            del self.made.handle  # it is looked up once
            self.made.types.append(Pointer("context", self.pick(*records), f"H{len(self.made.types)}"))

    # --- the procedure ---

    def parameter(self, name: str) -> None:
        ways = self.pick("in", "in, out", "in, out", "out")
        if self.made.handle and self.chance(2):
            held = self.made.handle
            type_ = held if ways == "in" else Pointer("ref", held)
            self.made.parameters.append(Parameter(ways, Member(name, type_)))
            return
        if ways == "out" and self.chance(6):
            self.buffer(name)
            return
        member = Member(name, getattr(self, ways.replace(", ", "_") + "_type")(name))
        *counts, last = with_counts(member)
        self.made.parameters += [Parameter("in", each) for each in counts]
        self.made.parameters.append(Parameter(ways, last))

    def buffer(self, name: str) -> None:
        """An [out] parameter in a buffer that the application allocates."""
        records = [each for each in self.made.types if isinstance(each, Record) and not each.conformant]
        if not records or self.made.default == "ref":
            return
        self.made.parameters.append(Parameter("in", Member(f"{name}_b", Scalar("long"), True)))
        self.made.parameters.append(Parameter("out", Member(name, Pointer("ref", self.pick(*records)))))
        self.made.settings[name] = [f"byte_count({name}_b)"]

    def in_type(self, name: str) -> Type:
        match self.pick("pointer", "pointer", "flat", "fixed"):
            case "flat":
                return self.flat()
            case "fixed":
                return Array(self.flat(), 2)
        return self.pointer(name, self.pick("ref", "unique", "ptr"))

    def in_out_type(self, name: str) -> Type:
        return self.pointer(name, self.pick("ref", "unique", "ptr"))

    def out_type(self, name: str) -> Type:
        match self.pick("flat", "flat", "pointer", "pointer", "pointer", "sized", "sized text", "fixed"):
            case "pointer":
                if self.made.default == "ref":
                    return Pointer("ref", self.flat())
                inner = self.inner(self.text() if self.chance(4) else self.target(""))
                named = self.typedefs and self.chance(2)
                return Pointer("ref", self.pick(*self.typedefs) if named else inner)
            case "sized":
                return Pointer("ref", self.sized(name))
            case "sized text":
                return Pointer("ref", replace(self.text(), size=self.count(f"{name}_n")))
            case "fixed":
                return Array(self.flat(), 2)
        return Pointer("ref", self.flat())

    def procedure(self) -> None:
        for index in range(self.draw(st.integers(1, 3))):
            self.parameter(f"p{index}")
        self.reports = (
            ()
            if self.made.is_object or not self.chance(6)
            else self.pick(("comm_status", "fault_status"), ("fault_status",), ("comm_status",))
        )
        records = [each for each in self.made.types if isinstance(each, Record) and not each.conformant]
        if self.made.is_object:
            self.made.result = Scalar("long")
        elif self.reports and self.chance(2):
            self.made.result = Scalar("error_status_t")
            self.made.settings["f"] = [*self.reports]
        elif records and self.made.default != "ref" and self.chance(4):
            self.made.result = Pointer(self.made.default, self.pick(*records))
        elif self.chance(3):
            self.made.result = Scalar("long")
        if self.reports and "f" not in self.made.settings:
            self.made.parameters.append(
                Parameter("out", Member("st", Pointer("ref", Scalar("error_status_t"))))
            )
            self.made.settings["st"] = [*self.reports]

    def settings(self) -> None:
        """What an attribute file says."""
        made = self.made
        for each in self.typedefs:
            if self.chance(2):
                how = ("all_nodes", "dont_free", "all_nodes, dont_free", "single_node")
                made.settings[each.typedef] = [f"allocate({self.pick(*how)})"]
        for parameter in made.parameters:
            type_ = parameter.member.type
            pointing = isinstance(type_, Pointer) and made.handle not in (type_, type_.target)
            if pointing and parameter.is_in and self.chance(8):
                made.settings[parameter.member.name] = ["force_allocate"]
        if self.chance(6) and not made.is_object:
            made.settings.setdefault("f", []).append("enable_allocate")
        if self.chance(12) and not (made.is_object or made.buffers or made.handle):
            made.attributes = "[reflect_deletions] "


def with_counts(member: Member) -> list[Member]:
    """A member after the members that its sizes and discriminants are read from."""
    found: list[Member] = []
    type_: Type | None = member.type
    while type_ is not None:
        if isinstance(type_, Array):
            found += [Member(each.name, Scalar(each.type), True) for each in type_.counts]
            type_ = type_.element
        elif isinstance(type_, Pointer):
            type_ = type_.target
        else:
            if isinstance(type_, Text) and type_.size:
                found.append(Member(type_.size.name, Scalar(type_.size.type), True))
            if isinstance(type_, Union) and type_.tag:
                found.append(Member(type_.tag, Scalar("short"), True))
            type_ = None
    return [*found, member]


@st.composite
def interfaces(draw: Any) -> Interface:
    """Interfaces with one procedure."""
    drawing = Drawing(draw, draw(st.sampled_from(("unique", "ptr", "ref"))), draw(st.integers(0, 4)) == 4)
    for kind in draw(
        st.lists(
            st.sampled_from(("tree", "tree", "record", "record", "enum", "union", "typedef", "handle")),
            min_size=1,
            max_size=5,
        )
    ):
        getattr(drawing, kind)()
    drawing.procedure()
    drawing.settings()
    return drawing.made
