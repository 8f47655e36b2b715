"""Free plans as C: one function for the procedure, and one for each type that holds pointers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from rpcmemkit import types
from rpcmemkit.contract.spots import converted, spots
from rpcmemkit.contract.steps import Step, below, holds_pointers
from rpcmemkit.plan import ArrayPlan, Plan, PointerPlan, StructPlan, UnionPlan
from rpcmemkit.types import Binary, Conditional, Const, Expr, Name, Unary

if TYPE_CHECKING:
    from rpcmemkit.contract.free_plan import FreePlan


COLLECTOR = """\
/* Full pointers may name one block twice, or form a cycle: each block is noted once, and freed once. */
typedef struct { void **at; size_t used, room, own; } blocks;

static int note(blocks *met, void *block)
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
    """Return several plans of one interface as C, each helper function once."""
    writers = [_Writer(plan) for plan in plans]
    bodies = [writer.procedure() for writer in writers]
    helpers: dict[str, str] = {}
    for writer in writers:
        helpers.update(writer.functions)
    collector = [COLLECTOR] if any(writer.collects for writer in writers) else []
    prototypes = "".join(f"{text.split(chr(10), 1)[0]};\n" for text in helpers.values())
    return "\n".join(part for part in (*collector, prototypes, *helpers.values(), *bodies) if part)


INDICES = "ijklmnopqrstuvw"


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
        return self.text[1:-1] if self.text.startswith("(*") else self.text


class _Writer:
    """Writes the C of one plan. A ``leaf`` is what is done about each pointer: ``free``, ``collect``, ``first``, ``null``."""

    def __init__(self, plan: FreePlan) -> None:
        self.plan = plan
        self.functions: dict[str, str] = {}
        self.collects = any(
            pointer.is_full
            for (_, root, _), step in zip(plan.frame.all, plan.steps, strict=True)
            if step.action in {"free", "free below"}
            for pointer in _all_pointers(root)
        )

    # --- the procedure ---

    def procedure(self) -> str:
        plan = self.plan
        lines = [line for line in self._body() if line]
        text = "\n".join(lines)
        used = [text_ for name, text_ in self._parameters() if re.search(rf"\b{name}\b", text)]
        head = f"void free_after_{plan.procedure}({', '.join(used) or 'void'})"
        return f"{self._comment()}{head}\n{{\n{text}\n}}\n"

    def _comment(self) -> str:
        """Return what the reader of the code has to know: the conditions under which it is right."""
        told = [f"What the client frees after {self.plan.procedure}."]
        ways = {p.name: p for p in self.plan.frame.procedure.parameters}
        for step in self.plan.steps:
            parameter = ways.get(step.name)
            told += _condition(step, parameter, self.plan.deallocator)
            if _has_converted(self.plan.frame.plan.by_name[step.name].plan):
                told.append(f"{step.name}: holds what conversion routines made; free that as they do.")
        return "/* " + "\n   ".join(told) + " */\n"

    def _parameters(self) -> Iterator[tuple[str, str]]:
        procedure = self.plan.frame.procedure
        for parameter in procedure.parameters:
            yield parameter.name, _c_declaration(parameter.declaration)
        if procedure.result is not None:
            head = re.split(rf"\b{procedure.name}\s*\(", procedure.declaration, maxsplit=1)[0]
            yield "result", f"{_c_declaration(head)} result".replace("* ", "*")

    def _body(self) -> list[str]:
        roots = [
            (step, plan) for step, (_, plan, _) in zip(self.plan.steps, self.plan.frame.all, strict=True)
        ]
        if not self.collects:
            return [line for step, plan in roots for line in self._root(step, plan, "free", 1)]
        return self._collected(roots)

    def _collected(self, roots: list[tuple[Step, Plan]]) -> list[str]:
        own = [line for step, plan in roots for line in self._own(step, plan)]
        found = [line for step, plan in roots for line in self._root(step, plan, "collect", 1)]
        nulls = [line for step, plan in roots for line in self._root(step, plan, "null", 1)]
        return [
            "    blocks met = {0};",
            "    blocks *const all = &met;",
            *own,
            "    met.own = met.used;  /* what the client passed stays its own */",
            *found,
            *nulls,
            "    while (met.used > met.own)",
            f"        {self.plan.deallocator}(met.at[--met.used]);",
            "    free(met.at);",
        ]

    def _own(self, step: Step, plan: Plan) -> list[str]:
        """Note what the client passed: the parameters' own storage, and all that hangs below an [in] parameter."""
        if step.name == "return" or not isinstance(plan, PointerPlan):
            return []
        if step.action == "keep" and holds_pointers(plan.target):
            return self._pointer(plan, step.name, "", "collect", 1)
        return [f"    note(all, {step.name});"]

    def _root(self, step: Step, plan: Plan, leaf: str, depth: int) -> list[str]:
        name = "result" if step.name == "return" else step.name
        if step.action == "free block":
            return self._one_block(plan, name) if leaf == "free" or leaf == "collect" else []
        if step.action == "free":
            return [] if leaf == "null" else self._inside(plan, _Value(name, False), "", leaf, depth)
        if step.action != "free below":
            return []
        return self._inside(below(plan), _Value(name, isinstance(plan, PointerPlan)), "", leaf, depth)

    def _one_block(self, plan: Plan, name: str) -> list[str]:
        """The first pointer that is not null names the start of the block."""
        lines = self._inside(below(plan), _Value(name, True), "", "first", 2)
        nulls = self._inside(below(plan), _Value(name, True), "", "null", 2)
        free = f"        {self.plan.deallocator}(block);"
        return [
            "    {",
            "        void *block = NULL;",
            *lines,
            "        if (block)",
            "    " + free,
            *nulls,
            "    }",
        ]

    # --- values ---

    def _inside(self, plan: Plan, value: _Value, scope: str, leaf: str, depth: int) -> list[str]:
        """Return the statements for the pointers inside a value; ``scope`` is where size expressions find names."""
        if not holds_pointers(plan):
            return []
        pad = "    " * depth
        if isinstance(plan, PointerPlan):
            text = f"*{value.text}" if value.is_address else value.text
            return self._pointer(plan, text, scope, leaf, depth)
        if isinstance(plan, StructPlan) and plan.type.name and leaf in {"free", "collect"}:
            return [f"{pad}{self._function(plan, leaf)}({self._passed(leaf)}{value.address});"]
        if isinstance(plan, StructPlan):
            return self._members(plan, value, leaf, depth)
        if isinstance(plan, ArrayPlan):
            return self._loop(plan, value, scope, leaf, depth)
        assert isinstance(plan, UnionPlan)
        return self._switch(plan, value, scope, leaf, depth)

    def _passed(self, leaf: str) -> str:
        return "all, " if leaf == "collect" else ""

    def _members(self, plan: StructPlan, value: _Value, leaf: str, depth: int) -> list[str]:
        scope = value.member("")
        return [
            line
            for member in plan.members
            for line in self._inside(
                member.plan, _Value(value.member(member.name), False), scope, leaf, depth
            )
        ]

    def _function(self, plan: StructPlan, leaf: str) -> str:
        """Return the name of the function for a structure, and write it if it is new."""
        kind = self._type_name(plan)
        name = f"{leaf}_{kind.split()[-1]}"
        if name not in self.functions:
            self.functions[name] = ""
            body = "\n".join(self._members(plan, _Value("it", True), leaf, 1))
            first = "blocks *all, " if leaf == "collect" else ""
            self.functions[name] = f"static void {name}({first}{kind} *it)\n{{\n{body}\n}}\n"
        return name

    def _type_name(self, plan: StructPlan) -> str:
        for name, type_ in self.plan.interface.types.items():
            if type_ is plan.type and name != plan.type.name:
                return name
        is_typedef = re.match(r"\w+$", plan.type.name) and plan.type.name in self.plan.interface.types
        return plan.type.name if is_typedef else f"struct {plan.type.name}"

    def _loop(self, plan: ArrayPlan, value: _Value, scope: str, leaf: str, depth: int) -> list[str]:
        pad, index = "    " * depth, INDICES[value.text.count("[")]
        array = plan.type
        first = f"({_c(array.first, scope)})" if array.first is not None else "0"
        count = str(array.bound) if array.size is None else _c(array.size, scope)
        end = f"{first} + ({_c(array.length, scope)})" if array.length is not None else count
        element = _Value(f"{_simple(value.text)}[{index}]", False)
        body = self._inside(plan.element, element, scope, leaf, depth + 1)
        limit = end if end.isdigit() else f"(long)({end})"
        head = f"for (long {index} = {first}; {index} < {limit}; {index}++)"
        return [f"{pad}{head} {{", *body, f"{pad}}}"]

    def _switch(self, plan: UnionPlan, value: _Value, scope: str, leaf: str, depth: int) -> list[str]:
        pad = "    " * depth
        held = value if plan.tag_of is not None else _Value(value.member(plan.union_name), False)
        own = value.member(plan.tag_name)
        tag = _c(plan.type.switch_is, scope) if isinstance(plan.type, types.Switched) else own
        lines = [f"{pad}switch ({tag}) {{"]
        for arm in dict.fromkeys(plan.arms.values()):
            lines += [f"{pad}case {label}:" for label, other in plan.arms.items() if other is arm]
            lines += self._arm(arm.name, arm.plan, held, scope, leaf, depth)
        default = plan.default
        lines += [f"{pad}default:"]
        lines += (
            self._arm(default.name, default.plan, held, scope, leaf, depth)
            if default
            else [f"{pad}    break;"]
        )
        return [*lines, f"{pad}}}"]

    def _arm(
        self, name: str, plan: Plan | None, held: _Value, scope: str, leaf: str, depth: int
    ) -> list[str]:
        inner = self._inside(plan, _Value(held.member(name), False), scope, leaf, depth + 1) if plan else []
        return [*inner, "    " * (depth + 1) + "break;"]

    # --- pointers ---

    def _pointer(self, plan: PointerPlan, text: str, scope: str, leaf: str, depth: int) -> list[str]:
        pad = "    " * depth
        if not plan.travels:
            return []
        if leaf == "null":
            return [f"{pad}{text} = NULL;"]
        if leaf == "first":
            return [f"{pad}if (!block)", f"{pad}    block = {text};"]
        target = plan.target
        is_block = plan.type.all_nodes
        value = _Value(f"({text})" if text.startswith("*") else text, True)
        inner = [] if is_block else self._inside(target, value, scope, leaf, depth + 1)
        if leaf == "collect":
            return self._collect(text, inner, pad)
        free = [f"{pad}    {self.plan.deallocator}({text});", f"{pad}    {text} = NULL;"]
        return [f"{pad}if ({text}) {{", *inner, *free, f"{pad}}}"]

    def _collect(self, text: str, inner: list[str], pad: str) -> list[str]:
        if not inner:
            return [f"{pad}note(all, {text});"]
        return [f"{pad}if (note(all, {text})) {{", *inner, f"{pad}}}"]


def _condition(step: Step, parameter: types.Parameter | None, deallocator: str) -> list[str]:
    """Return a line of the comment on one parameter, where there is something to say."""
    match step.action:
        case "close":
            return [f"{step.name}: a context handle; end it with a call or RpcSsDestroyClientContext."]
        case "free block":
            return [f"{step.name}: one block; what hung there before the call is not freed here."]
        case "keep" if step.rule == "byte-count-in-place":
            return [f"{step.name}: lies in your own buffer."]
    if parameter is not None and parameter.is_in and parameter.is_out and step.action != "keep":
        source = _source(deallocator)
        return [
            f"{step.name}: right only if your own nodes below it come from {source} too,",
            "and if you have kept no other pointer to them.",
        ]
    return []


def _has_converted(plan: Plan) -> bool:
    """Whether a value, or what its pointers name, holds a type that the application's routines convert."""
    return any(leaf for root in (plan, *(p.target for p in _all_pointers(plan))) for leaf in converted(root))


def _source(deallocator: str) -> str:
    return {"CoTaskMemFree": "CoTaskMemAlloc", "free": "malloc"}.get(deallocator, "midl_user_allocate")


def _all_pointers(root: Plan) -> Iterator[PointerPlan]:
    """Yield every pointer of a type, also behind other pointers, each once."""
    seen: dict[int, PointerPlan] = {}
    pending = [root]
    while pending:
        for spot in spots(pending.pop(), ()):
            if id(spot.plan) not in seen:
                seen[id(spot.plan)] = spot.plan
                pending.append(spot.plan.target)
                yield spot.plan


def _c_declaration(text: str) -> str:
    """Return a declaration without the attributes in front."""
    return re.sub(r"^\s*(\[[^\]]*\]\s*)+", "", text).strip()


def _simple(text: str) -> str:
    return f"({text})" if text.startswith(("*", "&")) else text


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
