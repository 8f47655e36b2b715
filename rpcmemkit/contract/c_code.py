"""Free plans as C: one function for the procedure, and one for each type that holds pointers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rpcmemkit import types
from rpcmemkit.contract.spots import all_pointers, converted, is_counted, parts_of, spots
from rpcmemkit.contract.steps import Owed, Step, below, holds_pointers
from rpcmemkit.plan import ArmPlan, ArrayPlan, Plan, PointerPlan, StructPlan, UnionPlan
from rpcmemkit.types import Binary, Conditional, Const, Expr, Name, Unary

DECLARED = {
    "midl_user_free": ("rpc.h", "void"),
    "RpcSmClientFree": ("rpc.h", "RPC_STATUS"),  # nf-rpcndr-rpcsmclientfree.md
    "CoTaskMemFree": ("objbase.h", "void"),
}
"""Of each deallocator that Windows declares, the header and what it returns."""

INCLUDE = "/* Put this behind the header that MIDL writes from the IDL file. */\n#include <stdlib.h>\n"
YOURS = """\
/* Blocks. Those that are yours stand first, sorted; behind them those that were met after the call. */
typedef struct { void **at; size_t used, room, yours; } noted_blocks;

static int by_address(const void *one, const void *other)
{
    const char *a = *(void *const *)one, *b = *(void *const *)other;
    return a < b ? -1 : a > b;
}

static int add_block(noted_blocks *all, void *block)
{
    if (!block)
        return 0;
    if (all->used == all->room) {
        void **more = realloc(all->at, (2 * all->room + 16) * sizeof *more);
        if (!more)
            abort();
        all->at = more;
        all->room = 2 * all->room + 16;
    }
    all->at[all->used++] = block;
    return 1;
}

static void mark_yours(noted_blocks *all)
{
    all->yours = all->used;
    if (all->used)
        qsort(all->at, all->used, sizeof *all->at, by_address);
}

static int is_yours(const noted_blocks *all, void *block)
{
    return !block || (all->yours && bsearch(&block, all->at, all->yours, sizeof *all->at, by_address));
}
"""
ONCE = """\
/* Where two pointers lead to one block, or in a cycle, it is noted once, and freed once. */
static int note_block(noted_blocks *all, void *block)
{
    size_t i;
    for (i = all->yours; i < all->used; i++)
        if (all->at[i] == block)
            return 0;
    return add_block(all, block);
}
"""
ONE_BLOCK = """\
/* What was met since then lies in one block, apart from what is yours: of it only the start is kept. */
static void one_block(noted_blocks *all, size_t since)
{
    void *start = NULL;
    size_t i;
    for (i = since; i < all->used; i++)
        if (!is_yours(all, all->at[i]) && (!start || by_address(&all->at[i], &start) < 0))
            start = all->at[i];
    all->used = since;
    add_block(all, start);
}
"""


def c_code(plans: Iterable[Owed]) -> str:
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
    collector = [YOURS] if any(writer.shares or writer.compares for writer in writers) else []
    collector += [ONCE] if any(writer.collects for writer in writers) else []
    collector += [ONE_BLOCK] if any("one_block(" in text for text in (*helpers.values(), *bodies)) else []
    used = dict.fromkeys(
        w.plan.deallocator for w, body in zip(writers, bodies, strict=True) if "\nvoid " in body
    )
    include = [INCLUDE + "".join(map(_header, used))] if used else []
    prototypes = "".join(f"{text.split(chr(10), 1)[0]};\n" for text in helpers.values())
    return "\n".join(part for part in (*include, *collector, prototypes, *helpers.values(), *bodies) if part)


def _header(deallocator: str) -> str:
    """Return what declares a deallocator: the header of Windows; a compiler without it gets a prototype."""
    if deallocator not in DECLARED:
        return ""
    header, result = DECLARED[deallocator]
    type_ = "typedef long RPC_STATUS;\n" if result == "RPC_STATUS" else ""
    return f"""\
#ifdef _WIN32
#include <{header}>
#else
{type_}{result} {deallocator}(void *);
#endif
"""


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
    """What is done about each pointer: ``free``, ``note``, ``collect`` (note, and clear what will go), ``first`` or ``null``.

    ``keeps``: the value is the client's own, and so is what its reference pointers lead to: they are never set anew.
    ``noted`` is the C expression for the blocks that were noted; with it, ``free`` spares those that are the client's.
    """

    name: str
    keeps: bool = False
    noted: str = ""


class _Writer:
    """Writes the C of one plan."""

    def __init__(self, plan: Owed, of: str) -> None:
        self.plan = plan
        self.of = of
        self.functions: dict[str, str] = {}
        self.parameters = {p.name: p for p in plan.frame.procedure.parameters}
        self.inside: list[StructPlan] = []
        self.roots = [(step, root) for step, (_, root, _) in zip(plan.steps, plan.frame.all, strict=True)]
        freed = [(step, root) for step, root in self.roots if step.action.startswith("free")]
        apart = [root for step, root in freed if step.action != "free block"]
        self.shares = any(pointer.is_full for root in apart for pointer in all_pointers(root))
        """Whether full pointers may lead to one block twice, or to what an [in] parameter brought."""
        mixed = [root for step, root in freed if self._mixes(step, root)]
        self.compares = bool(mixed)
        """Whether what the client passed has to be noted before the call, to be told from what the stub allocated."""
        self.collects = self.shares or any(p.type.all_nodes for root in mixed for p in all_pointers(root))
        """Whether blocks are noted one by one after the call, to be freed at its end."""
        self.met = self._unused("yours" if self.compares else "met")
        self.result = self._unused("result")

    def _mixes(self, step: Step, root: Plan) -> bool:
        """Whether blocks of the client's own and of the stub's may hang below a parameter after the call."""
        parameter = self.parameters.get(step.name)
        if parameter is None or not parameter.is_in or self.plan.interface.is_object:
            return False
        return any(not pointer.is_ref for pointer in all_pointers(below(root)))

    def _unused(self, name: str) -> str:
        """Return a name for something of the function's own that no parameter has."""
        while name in self.parameters:
            name += "_"
        return name

    # --- the procedure ---

    def procedure(self) -> str:
        text = "\n".join(_inner(self._body()))
        if not text:
            return self._comment(f"After {self.plan.procedure} the client frees nothing.")
        head = f"void free_after_{self.of}{self.plan.procedure}({self._parameters_in(text)})"
        comment = self._comment(f"What the client frees after {self.plan.procedure}.")
        return f"{self._before()}{comment}{head}\n{{\n{text}\n}}\n"

    def _parameters_in(self, text: str) -> str:
        """Return the declarations of the parameters that statements mention."""
        used = [told for name, told in self._declared() if re.search(rf"(?<!->)(?<!\.)\b{name}\b", text)]
        return ", ".join([f"noted_blocks *{self.met}", *used] if self.compares else used)

    def _before(self) -> str:
        """Return the function that notes what the client passes, if there has to be one."""
        if not self.compares:
            return ""
        text = "\n".join(_inner(self._yours()))
        head = f"void note_before_{self.of}{self.plan.procedure}({self._parameters_in(text)})"
        told = (
            f"/* Call it before {self.plan.procedure}, with noted_blocks {{0}}: what you pass stays yours. */"
        )
        return f"{told}\n{head}\n{{\n{text}\n}}\n\n"

    def _comment(self, first: str) -> str:
        """Return what the reader of the code has to know: the conditions under which it is right."""
        told = [first]
        if self.compares:
            outs = {name for name, each in self.parameters.items() if each.is_out}
            counted = any(_is_counted(below(root)) for step, root in self.roots if step.name in outs)
            beyond = " (elements beyond a count that it lowered)" * counted
            told.append(f"What you passed stays yours, also what the server cut off{beyond}:")
            told.append(f"{self.met}->at[0] to {self.met}->at[{self.met}->yours - 1] list all of it.")
            told.append(f"Free what you allocated of it as you always do, and {self.met}->at with free.")
        if self.plan.deallocator == "RpcSmClientFree":
            told.append("RpcSmClientFree calls the deallocator in force: RpcSsFree, once you have enabled")
            told.append("the RpcSs environment of your thread, else your own.")
        for step, plan in self.roots:
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
                return [f"{step.name}: one block."]
            case "keep" if step.rule == "byte-count-in-place":
                return [f"{step.name}: lies in your own buffer."]
            case "free below":
                return self._below_it(step.name, below(plan), parameter is not None and parameter.is_in)
        return []

    def _below_it(self, name: str, own: Plan, is_in: bool) -> list[str]:
        """Return what has to be true of what hangs below a parameter, so that nothing of the client's own is freed."""
        told = []
        if all(spot.plan.type.all_nodes for spot in spots(own, ())):
            told.append(f"{name}: one block below it.")
        if is_in and self.plan.interface.is_object:
            told.append(
                f"{name}: the proxy replaces what hangs below it, so that your own nodes have to come"
            )
            told.append("from CoTaskMemAlloc, and you keep no other pointer to them.")
            if self._is_cut(own):
                told.append("What a lowered count or another union arm cuts off is freed by nobody.")
        elif not is_in and not self.plan.interface.is_object:
            null = "set every pointer in it to null before the call; what one led to would be freed as well."
            told.append(f"{name}: {null}")
        if _has_refs(own) and not self.compares:
            told.append(f"{name}: what its reference pointers lead to stays yours.")
        return told

    def _is_cut(self, own: Plan) -> bool:
        """Whether a lowered count or another union arm may leave a pointer of the client's behind."""
        steady = frozenset(name for name, each in self.parameters.items() if not each.is_out)
        kept = (pointer.target for pointer in all_pointers(own) if not pointer.is_object)
        holders = [(own, steady), *((holder, frozenset[str]()) for holder in kept)]
        return any(spot.loose for holder, names in holders for spot in spots(holder, (), names))

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
        if self.collects:
            return self._collected()
        return self._owed(_Leaf("free", noted=self.met if self.compares else ""))

    def _owed(self, leaf: _Leaf) -> list[str]:
        """Return what is done about all that is owed."""
        return [line for step, plan in self.roots for line in self._root(step, plan, leaf)]

    def _collected(self) -> list[str]:
        """Return the statements that note what is there, and then free what is not the client's own."""
        met, all_ = self.met, self.met if self.compares else f"&{self.met}"
        at = f"{met}->" if self.compares else f"{met}."
        found = self._owed(_Leaf("collect", noted=all_))
        block = self._unused("block")
        freed = [f"void *{block} = {at}at[--{at}used];", *self._free_new(block, all_)]
        found += _block(f"while ({at}used > {at}yours)", freed)
        if self.compares:
            return found
        return [f"noted_blocks {met} = {{0}};", *self._yours(), *found, f"free({met}.at);"]

    def _free_new(self, block: str, noted: str) -> list[str]:
        return _if(f"!is_yours({noted}, {block})", f"{self.plan.deallocator}({block});")

    def _yours(self) -> list[str]:
        """Return the statements that note what the client passes."""
        note = _Leaf("note", noted=self.met if self.compares else f"&{self.met}")
        lines = [line for step, plan in self.roots for line in self._own(step, plan, note)]
        return [*lines, f"mark_yours({note.noted});  /* what the client passed stays its own */"]

    @property
    def _noting(self) -> str:
        return "note_block" if self.shares else "add_block"

    def _own(self, step: Step, plan: Plan, note: _Leaf) -> list[str]:
        """Note a parameter's own storage, and all that hangs below it if it brings something."""
        parameter = self.parameters.get(step.name)
        if parameter is None or not isinstance(plan, PointerPlan):
            return []
        if step.action == "keep" and not (self.shares and holds_pointers(plan.target)):
            return []
        itself = [f"{self._noting}({note.noted}, {step.name});"]
        if not parameter.is_in:
            return itself if self.shares else []
        return [*itself, *self._below(plan, parameter, note)]

    def _root(self, step: Step, plan: Plan, leaf: _Leaf) -> list[str]:
        parameter = self.parameters.get(step.name)
        if parameter is None:
            return self._inside(plan, _Value(self.result, False), "", leaf) if step.action == "free" else []
        if step.action == "free block":
            if not self._mixes(step, plan):
                return self._one_block(plan, parameter)
            return self._start_of(self._below(plan, parameter, leaf._replace(name="collect")), leaf)
        if step.action != "free below":
            return []
        keeps = not (parameter.is_in and self.compares)
        return self._below(plan, parameter, leaf._replace(keeps=keeps))

    def _below(self, plan: Plan, parameter: types.Parameter, leaf: _Leaf) -> list[str]:
        """Return the statements for what a parameter's own storage holds; a unique or full parameter may be null."""
        value = _Value(parameter.name, isinstance(plan, PointerPlan))
        lines = self._inside(below(plan), _whole(plan, value), "", leaf)
        guarded = isinstance(plan, PointerPlan) and not plan.is_ref
        return _block(f"if ({parameter.name})", lines) if guarded and lines else lines

    def _one_block(self, plan: Plan, parameter: types.Parameter) -> list[str]:
        """The first pointer that is not null names the start of the block."""
        block = self._unused("block")
        return _block(
            "",
            [
                f"void *{block} = NULL;",
                *self._below(plan, parameter, _Leaf("first", noted=block)),
                *_if(block, f"{self.plan.deallocator}({block});"),
                *self._below(plan, parameter, _Leaf("null")),
            ],
        )

    def _start_of(self, collected: list[str], leaf: _Leaf) -> list[str]:
        """Return statements that collect what lies in one block, and then keep only the start of that block."""
        since = self._unused("since")
        used = f"{leaf.noted.removeprefix('&')}{'.' if leaf.noted.startswith('&') else '->'}used"
        return _block("", [f"size_t {since} = {used};", *collected, f"one_block({leaf.noted}, {since});"])

    # --- values ---

    def _inside(self, plan: Plan, value: _Value, scope: str, leaf: _Leaf) -> list[str]:
        """Return the statements for the pointers inside a value; ``scope`` is where size expressions find names."""
        if not holds_pointers(plan):
            return []
        if isinstance(plan, PointerPlan):
            return self._pointer(plan, f"*{value.text}" if value.is_address else value.text, scope, leaf)
        if isinstance(plan, StructPlan) and plan.type.name and leaf.name in {"free", "note", "collect"}:
            return self._called(plan, leaf, value.address)
        if isinstance(plan, StructPlan):
            return self._inline(plan, value, leaf)
        if isinstance(plan, ArrayPlan):
            return self._loop(plan, value, scope, leaf)
        assert isinstance(plan, UnionPlan)
        return self._switch(plan, value, scope, leaf)

    def _inline(self, plan: StructPlan, value: _Value, leaf: _Leaf) -> list[str]:
        """Return the statements for the members; nothing for a structure that holds itself by reference pointers only."""
        if plan in self.inside:
            return []
        self.inside.append(plan)
        lines = self._members(plan, value, leaf)
        self.inside.pop()
        return lines

    def _members(self, plan: StructPlan, value: _Value, leaf: _Leaf, without: str | None = None) -> list[str]:
        scope = value.member("")
        members = [(m.plan, _Value(value.member(m.name), False)) for m in plan.members if m.name != without]
        return [line for inner, part in members for line in self._inside(inner, part, scope, leaf)]

    # --- functions ---

    def _called(self, plan: StructPlan, leaf: _Leaf, address: str) -> list[str]:
        """Return the call of the function for a structure, and write the function if it is new; nothing if it does nothing."""
        leaf = leaf._replace(keeps=leaf.keeps and _has_refs(plan))
        kind = self._type_name(plan)
        verb = "client_free" if self.plan.deallocator == "RpcSmClientFree" else "free"
        verb += "_new" * bool(leaf.noted)
        known = "" if leaf.name != "note" or self.shares else "_all"
        name = (
            f"{verb if leaf.name == 'free' else leaf.name}{known}{'_below' * leaf.keeps}_{kind.split()[-1]}"
        )
        if name not in self.functions:
            self.functions[name] = ""
            first = "noted_blocks *all, " if leaf.noted else ""
            body = self._function(plan, kind, leaf._replace(noted="all" if leaf.noted else ""))
            if not body:
                del self.functions[name]
                return []
            text = "\n".join(_inner(body))
            self.functions[name] = f"static void {name}({first}{kind} *it)\n{{\n{text}\n}}\n"
        return [f"{name}({f'{leaf.noted}, ' if leaf.noted else ''}{address});"]

    def _function(self, plan: StructPlan, kind: str, leaf: _Leaf) -> list[str]:
        """Return the statements of a function. A list is followed in a loop: it may be longer than a stack is deep."""
        tail = _tail(plan, leaf)
        it = _Value("it", True)
        if tail is None or (leaf.name != "free" and leaf.keeps):
            return self._members(plan, it, leaf)  # what the tail names is not the client's own
        others = self._members(plan, it, leaf, tail)
        if leaf.name == "note":
            step = f"it = {self._noting}(all, it->{tail}) ? it->{tail} : NULL;"
            return _block("while (it)", [*others, step])
        if leaf.name == "collect":
            return _block(
                "while (it)",
                [
                    f"{kind} *next = it->{tail};",
                    *others,
                    *_if("!is_yours(all, next)", f"it->{tail} = NULL;"),
                    "it = note_block(all, next) ? next : NULL;",
                ],
            )
        if leaf.noted:
            return self._mixed_list(plan, kind, tail, leaf, others)
        below_gone = [f"gone->{tail} = NULL;", *self._called(plan, _Leaf("free"), "gone")]
        freed = [
            f"{kind} *gone = it->{tail};",
            f"it->{tail} = gone->{tail};",
            *(below_gone if others or leaf.keeps else []),
            f"{self.plan.deallocator}(gone);",
        ]
        return [*others, *_block(f"while (it->{tail})", freed)]

    def _mixed_list(
        self, plan: StructPlan, kind: str, tail: str, leaf: _Leaf, below_it: list[str]
    ) -> list[str]:
        """A list in which the client's own nodes and the stub's may stand in any order."""
        below_gone = self._members(plan, _Value("gone", True), leaf._replace(keeps=False), tail)
        freed = [
            f"next = gone->{tail};",
            *below_gone,
            *_if("!is_yours(all, next)", f"gone->{tail} = NULL;"),
            *self._free_new("gone", "all"),
        ]
        return [
            f"{kind} *next = it->{tail}, *gone;",
            *below_it,
            *_if("!is_yours(all, next)", f"it->{tail} = NULL;"),
            *_block("while ((gone = next) != NULL)", freed),
        ]

    def _type_name(self, plan: StructPlan) -> str:
        for name, type_ in self.plan.interface.types.items():
            if type_ is plan.type and name != plan.type.name:
                return name
        return f"struct {plan.type.name}" if plan.type.tagged else plan.type.name

    # --- arrays and unions ---

    def _loop(self, plan: ArrayPlan, value: _Value, scope: str, leaf: _Leaf) -> list[str]:
        free = [index for index in "ijklmnopqrstuvwxyz" if index not in self.parameters]
        index = free[value.text.count("[")]
        leaf = leaf._replace(keeps=leaf.keeps and not plan.varying)
        element = _Value(f"{_simple(value.text)}[{index}]", False)
        body = self._inside(plan.element, element, scope, leaf)
        first, end = _range(plan, scope)
        return _block(f"for (size_t {index} = {first}; {index} < {end}; {index}++)", body) if body else []

    def _switch(self, plan: UnionPlan, value: _Value, scope: str, leaf: _Leaf) -> list[str]:
        held = value if plan.tag_of is not None else _Value(value.member(plan.union_name), False)
        own = value.member(plan.tag_name)
        tag = _c(plan.type.switch_is, scope) if isinstance(plan.type, types.Switched) else own
        leaf = leaf._replace(keeps=False)
        lines = [f"switch ({tag}) {{"]
        for arm in dict.fromkeys(plan.arms.values()):
            lines += [f"case {label}:" for label, other in plan.arms.items() if other is arm]
            lines += self._arm(arm, held, scope, leaf)
        return [*lines, "default:", *self._arm(plan.default, held, scope, leaf), "}"]

    def _arm(self, arm: ArmPlan | None, held: _Value, scope: str, leaf: _Leaf) -> list[str]:
        inner: list[str] = []
        if arm is not None and arm.plan is not None:
            inner = self._inside(arm.plan, _Value(held.member(arm.name), False), scope, leaf)
        return _inner([*inner, "break;"])

    # --- pointers ---

    def _pointer(self, plan: PointerPlan, text: str, scope: str, leaf: _Leaf) -> list[str]:
        value = _whole(plan, _Value(f"({text})" if text.startswith("*") else text, True))
        if not plan.travels:
            return []
        if plan.is_ref and leaf.keeps:
            return self._inside(plan.target, value, scope, leaf)
        leaf = leaf._replace(keeps=False)
        if leaf.name == "null":
            return [f"{text} = NULL;"]
        if leaf.name == "first":
            return _if(f"!{leaf.noted}", f"{leaf.noted} = {text};")
        is_block = plan.type.all_nodes and leaf.name == "free"
        inner = [] if is_block else self._inside(plan.target, value, scope, leaf)
        null = [f"{text} = NULL;"] if text != self.result else []
        if leaf.name != "free":
            return self._noted(plan, text, inner, null, leaf)
        free = [f"{self.plan.deallocator}({text});", *null]
        if not leaf.noted:
            return _block(f"if ({text})", [*inner, *free])
        found = _block(f"if ({text})", inner) if inner else []
        return [*found, *_block(f"if (!is_yours({leaf.noted}, {text}))", free)]

    def _noted(
        self, plan: PointerPlan, text: str, inner: list[str], null: list[str], leaf: _Leaf
    ) -> list[str]:
        """Note what a pointer leads to; one to what will be freed is null from here on."""
        call = f"{self._noting if leaf.name == 'note' else 'note_block'}({leaf.noted}, {text})"
        lines = _block(f"if ({call})", inner) if inner else [f"{call};"]
        if leaf.name != "collect":
            return lines
        lines += [line for each in null for line in _if(f"!is_yours({leaf.noted}, {text})", each)]
        return self._start_of(lines, leaf) if plan.type.all_nodes else lines


def _inner(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _block(head: str, lines: Iterable[str]) -> list[str]:
    return [f"{head} {{".lstrip(), *_inner(lines), "}"]


def _if(condition: str, statement: str) -> list[str]:
    return [f"if ({condition})", *_inner([statement])]


def _whole(plan: Plan, value: _Value) -> _Value:
    """Return what a pointer leads to as a C expression: of a pointer to an array as a whole, the array."""
    if not isinstance(plan, PointerPlan) or not isinstance(plan.target, ArrayPlan) or plan.type.to_elements:
        return value
    return _Value(f"(*{value.text})", value.is_address)


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
    return any(leaf for root in (plan, *(p.target for p in all_pointers(plan))) for leaf in converted(root))


def _is_counted(root: Plan) -> bool:
    """Whether an array that something counts holds pointers, in a value or behind its pointers."""
    return any(map(_counts, (root, *(pointer.target for pointer in all_pointers(root)))))


def _counts(plan: Plan) -> bool:
    here = isinstance(plan, ArrayPlan) and is_counted(plan) and holds_pointers(plan.element)
    return here or any(_counts(part) for _, part in parts_of(plan))


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
