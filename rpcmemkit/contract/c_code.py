"""Free plans as C: one function for the procedure, and one for each type that holds pointers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from rpcmemkit import types
from rpcmemkit.contract.spots import converted, spots
from rpcmemkit.contract.steps import Step, below, holds_pointers
from rpcmemkit.plan import ArmPlan, ArrayPlan, Plan, PointerPlan, StructPlan, UnionPlan
from rpcmemkit.types import Binary, Conditional, Const, Expr, Name, Unary

if TYPE_CHECKING:
    from rpcmemkit.contract.free_plan import FreePlan

INCLUDE = "#include <stdlib.h>\n"
COLLECTOR = """\
/* Full pointers may name one block twice, or form a cycle: each block is noted once, and freed once. */
typedef struct { void **at; size_t used, room, own; } noted_blocks;

static int note_block(noted_blocks *met, void *block)
{
    size_t i;
    if (!block)
        return 0;
    for (i = 0; i < met->used; i++)
        if (met->at[i] == block)
            return 0;
    if (met->used == met->room) {
        met->room = met->room ? 2 * met->room : 16;
        met->at = realloc(met->at, met->room * sizeof *met->at);
        if (!met->at)
            abort();
    }
    met->at[met->used++] = block;
    return 1;
}
"""


def c_code(plans: Iterable[FreePlan]) -> str:
    """Return several plans as C (C99), each helper function once.

    They free with the same deallocator. A name that procedures of two interfaces have gets the interface in front.
    """
    plans = list(plans)
    count = Counter(plan.procedure for plan in plans)
    writers = [
        _Writer(plan, f"{plan.interface.name}_" if count[plan.procedure] > 1 else "") for plan in plans
    ]
    bodies = [writer.procedure() for writer in writers]
    helpers: dict[str, str] = {}
    for writer in writers:
        helpers.update(writer.functions)
    collector = [COLLECTOR] if any(writer.collects for writer in writers) else []
    include = [INCLUDE] if any("\nvoid " in body for body in bodies) else []
    prototypes = "".join(f"{text.split(chr(10), 1)[0]};\n" for text in helpers.values())
    return "\n".join(part for part in (*include, *collector, prototypes, *helpers.values(), *bodies) if part)


class _Value(NamedTuple):
    """A C expression for a value, or for the address of one."""

    text: str
    is_address: bool

    def member(self, name: str) -> str:
        return f"{self.text}{'->' if self.is_address else '.'}{name}"

    @property
    def address(self) -> str:
        if not self.is_address:
            return f"&{self.text}"
        return re.sub(r"^\((\*[\w.>-]+)\)$", r"\1", self.text)


class _Leaf(NamedTuple):
    """What is done about each pointer: ``free``, ``collect``, ``first``, ``null``, or ``refs`` (note reference pointers).

    ``keeps``: the value is the client's own, and so is what its reference pointers name: they are never set anew.
    ``noted`` is the C expression for the blocks that were met.
    """

    name: str
    keeps: bool = False
    noted: str = "all"


class _Writer:
    """Writes the C of one plan."""

    def __init__(self, plan: FreePlan, of: str) -> None:
        self.plan = plan
        self.of = of
        self.functions: dict[str, str] = {}
        self.parameters = {p.name: p for p in plan.frame.procedure.parameters}
        self.inside: list[StructPlan] = []
        self.collects = any(
            pointer.is_full
            for (_, root, _), step in zip(plan.frame.all, plan.steps, strict=True)
            if step.action in {"free", "free below"}
            for pointer in _all_pointers(root)
        )
        self.met = self._unused("met")
        self.result = self._unused("result")

    def _unused(self, name: str) -> str:
        """Return a name for something of the function's own that no parameter has."""
        while name in self.parameters:
            name += "_"
        return name

    # --- the procedure ---

    def procedure(self) -> str:
        text = "\n".join(self._body())
        if not text:
            return self._comment(f"After {self.plan.procedure} the client frees nothing.")
        used = [told for name, told in self._declared() if re.search(rf"(?<!->)(?<!\.)\b{name}\b", text)]
        head = f"void free_after_{self.of}{self.plan.procedure}({', '.join(used)})"
        return (
            f"{self._comment(f'What the client frees after {self.plan.procedure}.')}{head}\n{{\n{text}\n}}\n"
        )

    def _comment(self, first: str) -> str:
        """Return what the reader of the code has to know: the conditions under which it is right."""
        told = [first]
        if self.plan.deallocator == "RpcSmClientFree":
            told.append("RpcSmClientFree calls the deallocator in force: RpcSsFree, once you have enabled")
            told.append("the RpcSs environment of your thread, else your own.")
        for step in self.plan.steps:
            plan = self.plan.frame.plan.by_name[step.name].plan
            told += self._condition(step, plan, self.parameters.get(step.name))
            if _has_converted(plan):
                told.append(f"{step.name}: holds what conversion routines made; free that as they do.")
        return "/* " + "\n   ".join(told) + " */\n"

    def _condition(self, step: Step, plan: Plan, parameter: types.Parameter | None) -> list[str]:
        """Return what the comment says about one parameter, where there is something to say."""
        match step.action:
            case "close":
                return [f"{step.name}: a context handle; end it with a call or RpcSsDestroyClientContext."]
            case "free block":
                return [f"{step.name}: one block; what hung there before the call is not freed here."]
            case "keep" if step.rule == "byte-count-in-place":
                return [f"{step.name}: lies in your own buffer."]
            case "free below" if all(spot.plan.type.all_nodes for spot in spots(below(plan), ())):
                return [
                    f"{step.name}: one block below it; what hung there before the call is not freed here."
                ]
            case "free below" if parameter is not None and parameter.is_in:
                return self._shared(step.name, plan)
            case "free below" if not self.plan.interface.is_object:
                return [f"{step.name}: right only if every pointer in it was null before the call."]
        return []

    def _shared(self, name: str, plan: Plan) -> list[str]:
        """Say when freeing below an [in, out] parameter is right: what the client passed is freed with the rest."""
        keeps = [f"{name}: what its reference pointers name stays yours."] if _has_refs(below(plan)) else []
        return [
            f"{name}: right only if your own nodes below it come from {_source(self.plan.deallocator)} too,",
            "and if you have kept no other pointer to them.",
            *keeps,
        ]

    def _declared(self) -> Iterator[tuple[str, str]]:
        """Yield the names of the parameters, and of the result, each with its declaration in C."""
        procedure = self.plan.frame.procedure
        for parameter in procedure.parameters:
            yield parameter.name, _c_declaration(parameter.declaration)
        if procedure.result is not None:
            head = re.split(rf"\b{procedure.name}\s*\(", procedure.declaration, maxsplit=1)[0]
            plain = re.sub(r"\b_*(cdecl|stdcall|pascal)\b", "", _c_declaration(head))
            yield self.result, f"{plain.strip()} {self.result}".replace("* ", "*")

    def _body(self) -> list[str]:
        roots = [
            (step, plan) for step, (_, plan, _) in zip(self.plan.steps, self.plan.frame.all, strict=True)
        ]
        if not self.collects:
            return [line for step, plan in roots for line in self._root(step, plan, _Leaf("free"))]
        return self._collected(roots)

    def _collected(self, roots: list[tuple[Step, Plan]]) -> list[str]:
        met, collect = self.met, _Leaf("collect", noted=f"&{self.met}")
        own = [line for step, plan in roots for line in self._own(step, plan, collect)]
        found = [line for step, plan in roots for line in self._root(step, plan, collect)]
        nulls = [line for step, plan in roots for line in self._root(step, plan, _Leaf("null"))]
        return [
            f"    noted_blocks {met} = {{0}};",
            *own,
            f"    {met}.own = {met}.used;  /* what the client passed stays its own */",
            *found,
            *nulls,
            f"    while ({met}.used > {met}.own)",
            f"        {self.plan.deallocator}({met}.at[--{met}.used]);",
            f"    free({met}.at);",
        ]

    def _own(self, step: Step, plan: Plan, collect: _Leaf) -> list[str]:
        """Note what the client passed: the parameters' own storage, and all that hangs below an [in] parameter."""
        parameter = self.parameters.get(step.name)
        if parameter is None or not isinstance(plan, PointerPlan):
            return []
        if step.action == "keep" and holds_pointers(plan.target):
            return self._pointer(plan, step.name, "", collect, 1)
        refs = (
            self._below(plan, parameter, collect._replace(name="refs", keeps=True)) if parameter.is_in else []
        )
        return [f"    note_block({collect.noted}, {step.name});", *refs]

    def _root(self, step: Step, plan: Plan, leaf: _Leaf) -> list[str]:
        parameter = self.parameters.get(step.name)
        if parameter is None:
            ends = step.action != "free" or leaf.name == "null"
            return [] if ends else self._inside(plan, _Value(self.result, False), "", leaf, 1)
        if step.action == "free block":
            return [] if leaf.name == "null" else self._one_block(plan, parameter)
        if step.action != "free below":
            return []
        return self._below(plan, parameter, leaf._replace(keeps=parameter.is_in))

    def _below(self, plan: Plan, parameter: types.Parameter, leaf: _Leaf) -> list[str]:
        """Return the statements for what a parameter's own storage holds; a unique or full parameter may be null."""
        guarded = isinstance(plan, PointerPlan) and not plan.is_ref
        is_array_pointer = re.search(rf"\(\s*\*\s*{parameter.name}\s*\)", parameter.declaration)
        text = f"(*{parameter.name})" if is_array_pointer else parameter.name
        lines = self._inside(below(plan), _Value(text, isinstance(plan, PointerPlan)), "", leaf, 1 + guarded)
        return [f"    if ({parameter.name}) {{", *lines, "    }"] if guarded and lines else lines

    def _one_block(self, plan: Plan, parameter: types.Parameter) -> list[str]:
        """The first pointer that is not null names the start of the block."""
        block = self._unused("block")
        lines = self._below(plan, parameter, _Leaf("first", noted=block))
        nulls = self._below(plan, parameter, _Leaf("null"))
        return [
            "    {",
            f"        void *{block} = NULL;",
            *(f"    {line}" for line in lines),
            f"        if ({block})",
            f"            {self.plan.deallocator}({block});",
            *(f"    {line}" for line in nulls),
            "    }",
        ]

    # --- values ---

    def _inside(self, plan: Plan, value: _Value, scope: str, leaf: _Leaf, depth: int) -> list[str]:
        """Return the statements for the pointers inside a value; ``scope`` is where size expressions find names."""
        if not holds_pointers(plan):
            return []
        if isinstance(plan, PointerPlan):
            text = f"*{value.text}" if value.is_address else value.text
            return self._pointer(plan, text, scope, leaf, depth)
        if isinstance(plan, StructPlan) and plan.type.name and leaf.name in {"free", "collect"}:
            return [f"{'    ' * depth}{self._called(plan, leaf, value.address)}"]
        if isinstance(plan, StructPlan):
            return self._inline(plan, value, leaf, depth)
        if isinstance(plan, ArrayPlan):
            return self._loop(plan, value, scope, leaf, depth)
        assert isinstance(plan, UnionPlan)
        return self._switch(plan, value, scope, leaf, depth)

    def _inline(self, plan: StructPlan, value: _Value, leaf: _Leaf, depth: int) -> list[str]:
        """Return the statements for the members; nothing for a structure that holds itself by reference pointers only."""
        if plan in self.inside:
            return []
        self.inside.append(plan)
        lines = self._members(plan, value, leaf, depth)
        self.inside.pop()
        return lines

    def _members(
        self, plan: StructPlan, value: _Value, leaf: _Leaf, depth: int, without: str | None = None
    ) -> list[str]:
        scope = value.member("")
        return [
            line
            for member in plan.members
            if member.name != without
            for line in self._inside(
                member.plan, _Value(value.member(member.name), False), scope, leaf, depth
            )
        ]

    # --- functions ---

    def _called(self, plan: StructPlan, leaf: _Leaf, address: str) -> str:
        """Return the call of the function for a structure, and write the function if it is new."""
        leaf = leaf._replace(keeps=leaf.keeps and _has_refs(plan))
        kind = self._type_name(plan)
        verb = "client_free" if self.plan.deallocator == "RpcSmClientFree" else "free"
        name = f"{verb if leaf.name == 'free' else leaf.name}{'_below' * leaf.keeps}_{kind.split()[-1]}"
        if name not in self.functions:
            self.functions[name] = ""
            first = "noted_blocks *all, " if leaf.name == "collect" else ""
            body = "\n".join(self._function(plan, kind, leaf._replace(noted="all")))
            self.functions[name] = f"static void {name}({first}{kind} *it)\n{{\n{body}\n}}\n"
        return f"{name}({f'{leaf.noted}, ' if leaf.name == 'collect' else ''}{address});"

    def _function(self, plan: StructPlan, kind: str, leaf: _Leaf) -> list[str]:
        """Return the statements of a function. A list is followed in a loop: it may be longer than a stack is deep."""
        tail = _tail(plan, leaf)
        it = _Value("it", True)
        if tail is None or (
            leaf.name == "collect" and leaf.keeps
        ):  # what the tail names is not the client's own
            return self._members(plan, it, leaf, 1)
        if leaf.name == "collect":
            others = self._members(plan, it, leaf, 2, tail)
            step = f"        it = note_block(all, it->{tail}) ? it->{tail} : NULL;"
            return ["    while (it) {", *others, step, "    }"]
        others = self._members(plan, it, leaf, 1, tail)
        inner = [f"        gone->{tail} = NULL;", f"        {self._called(plan, _Leaf('free'), 'gone')}"]
        return [
            *others,
            f"    while (it->{tail}) {{",
            f"        {kind} *gone = it->{tail};",
            f"        it->{tail} = gone->{tail};",
            *(inner if others or leaf.keeps else []),
            f"        {self.plan.deallocator}(gone);",
            "    }",
        ]

    def _type_name(self, plan: StructPlan) -> str:
        for name, type_ in self.plan.interface.types.items():
            if type_ is plan.type and name != plan.type.name:
                return name
        return f"struct {plan.type.name}" if plan.type.tagged else plan.type.name

    # --- arrays and unions ---

    def _loop(self, plan: ArrayPlan, value: _Value, scope: str, leaf: _Leaf, depth: int) -> list[str]:
        pad = "    " * depth
        free = [index for index in "ijklmnopqrstuvwxyz" if index not in self.parameters]
        index = free[value.text.count("[")]
        leaf = leaf._replace(keeps=leaf.keeps and not plan.varying)
        element = _Value(f"{_simple(value.text)}[{index}]", False)
        body = self._inside(plan.element, element, scope, leaf, depth + 1)
        first, end = _range(plan, scope)
        head = f"for (size_t {index} = {first}; {index} < {end}; {index}++)"
        return [f"{pad}{head} {{", *body, f"{pad}}}"] if body else []

    def _switch(self, plan: UnionPlan, value: _Value, scope: str, leaf: _Leaf, depth: int) -> list[str]:
        pad = "    " * depth
        held = value if plan.tag_of is not None else _Value(value.member(plan.union_name), False)
        own = value.member(plan.tag_name)
        tag = _c(plan.type.switch_is, scope) if isinstance(plan.type, types.Switched) else own
        leaf = leaf._replace(keeps=False)
        lines = [f"{pad}switch ({tag}) {{"]
        for arm in dict.fromkeys(plan.arms.values()):
            lines += [f"{pad}case {label}:" for label, other in plan.arms.items() if other is arm]
            lines += self._arm(arm, held, scope, leaf, depth)
        default = self._arm(plan.default, held, scope, leaf, depth)
        return [*lines, f"{pad}default:", *default, f"{pad}}}"]

    def _arm(self, arm: ArmPlan | None, held: _Value, scope: str, leaf: _Leaf, depth: int) -> list[str]:
        inner: list[str] = []
        if arm is not None and arm.plan is not None:
            inner = self._inside(arm.plan, _Value(held.member(arm.name), False), scope, leaf, depth + 1)
        return [*inner, "    " * (depth + 1) + "break;"]

    # --- pointers ---

    def _pointer(self, plan: PointerPlan, text: str, scope: str, leaf: _Leaf, depth: int) -> list[str]:
        pad = "    " * depth
        value = _Value(f"({text})" if text.startswith("*") else text, True)
        stays = plan.is_ref and (leaf.keeps or leaf.name == "refs")
        if not plan.travels or (leaf.name == "refs" and not stays):
            return []
        if stays:
            noted = [f"{pad}note_block({leaf.noted}, {text});"] if leaf.name == "refs" else []
            return [*noted, *self._inside(plan.target, value, scope, leaf, depth)]
        leaf = leaf._replace(keeps=False)
        if leaf.name == "null":
            return [f"{pad}{text} = NULL;"]
        if leaf.name == "first":
            return [f"{pad}if (!{leaf.noted})", f"{pad}    {leaf.noted} = {text};"]
        is_block = plan.type.all_nodes
        inner = [] if is_block else self._inside(plan.target, value, scope, leaf, depth + 1)
        if leaf.name == "collect":
            return self._collect(text, inner, leaf, pad)
        free = [f"{pad}    {self.plan.deallocator}({text});"]
        null = [f"{pad}    {text} = NULL;"] if text != self.result else []
        return [f"{pad}if ({text}) {{", *inner, *free, *null, f"{pad}}}"]

    def _collect(self, text: str, inner: list[str], leaf: _Leaf, pad: str) -> list[str]:
        if not inner:
            return [f"{pad}note_block({leaf.noted}, {text});"]
        return [f"{pad}if (note_block({leaf.noted}, {text})) {{", *inner, f"{pad}}}"]


def _tail(plan: StructPlan, leaf: _Leaf) -> str | None:
    """Return the last member that names another structure of the same type: the link of a list."""
    links = [
        member.name
        for member in plan.members
        if isinstance(member.plan, PointerPlan)
        and member.plan.travels
        and not member.plan.type.all_nodes
        and not (member.plan.is_ref and leaf.keeps)
        and member.plan.type.target is plan.type
    ]
    return links[-1] if links else None


def _has_refs(plan: Plan) -> bool:
    """Whether a value holds reference pointers that were there before the call."""
    return any(spot.plan.is_ref and spot.plan.travels and not spot.loose for spot in spots(plan, ()))


def _has_converted(plan: Plan) -> bool:
    """Whether a value, or what its pointers name, holds a type that the application's routines convert."""
    return any(leaf for root in (plan, *(p.target for p in _all_pointers(plan))) for leaf in converted(root))


def _source(deallocator: str) -> str:
    sources = {
        "CoTaskMemFree": "CoTaskMemAlloc",
        "free": "malloc",
        "RpcSmClientFree": "the allocator in force",
    }
    return sources.get(deallocator, "midl_user_allocate")


def _all_pointers(root: Plan) -> Iterator[PointerPlan]:
    """Yield every pointer of a type, also behind other pointers, each once."""
    seen: dict[int, PointerPlan] = {}
    pending = [root]
    while pending:
        for spot in spots(pending.pop(), ()):
            if spot.plan.travels and id(spot.plan) not in seen:
                seen[id(spot.plan)] = spot.plan
                pending.append(spot.plan.target)
                yield spot.plan


# --- the text of declarations and expressions -----------------------------------------------------


def _c_declaration(text: str) -> str:
    """Return a declaration without attributes; a type that has a tag is named, where IDL may define it on the spot."""
    plain = re.sub(r"(?:^|(?<=[{;(]))\s*(?:\[[^\]]*\]\s*)+", "", text).strip()
    return re.sub(r"\b((?:struct|union|enum)\s+\w+)\s*\{.*\}", r"\1", plain, flags=re.DOTALL)


def _simple(text: str) -> str:
    return f"({text})" if text.startswith(("*", "&")) else text


def _range(plan: ArrayPlan, scope: str) -> tuple[str, str]:
    """Return the first index and the index after the last, in C."""
    array = plan.type
    count = str(array.bound) if array.size is None else _size(array.size, scope)
    first = "0" if array.first is None else _size(array.first, scope)
    if array.length is None:
        return first, count
    length = _size(array.length, scope)
    return first, length if first == "0" else f"{first} + {length}"


def _size(expr: Expr, scope: str) -> str:
    """Return a size, which a long may be too narrow for."""
    if isinstance(expr, Const):
        return str(expr.value)
    text = _c(expr, scope)
    return f"(size_t){text}" if isinstance(expr, Name) else f"(size_t)({text})"


def _c(expr: Expr, scope: str) -> str:
    """Return an attribute expression as C; its names are members of ``scope``, or parameters."""
    match expr:
        case Const(value):
            return str(value)
        case Name(name):
            return scope + name
        case Unary(op, operand):
            return f"{op}{_operand(operand, scope)}"
        case Binary(op, left, right):
            return f"{_operand(left, scope)} {op} {_operand(right, scope)}"
        case Conditional(test, yes, no):
            return f"{_operand(test, scope)} ? {_operand(yes, scope)} : {_operand(no, scope)}"


def _operand(expr: Expr, scope: str) -> str:
    text = _c(expr, scope)
    return text if isinstance(expr, Const | Name) else f"({text})"
