"""From the syntax tree to types: every name looked up, every attribute applied to the level it governs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lark import Token

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.apply import Applier
from rpcmemkit.idl.context import Context, VisibleNames, wrapped
from rpcmemkit.idl.conversions import check_conversion, converted
from rpcmemkit.idl.declared import Declared, Place
from rpcmemkit.idl.dialects import dialect_hint
from rpcmemkit.idl.expressions import (
    ExpressionError,
    read_real,
    unquote,
)
from rpcmemkit.idl.extents import DEEPEST, LARGEST, SHALLOWER, TOO_DEEP
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.levels import Level, assemble, copies
from rpcmemkit.idl.memory import apply_allocate
from rpcmemkit.idl.placement import Placement
from rpcmemkit.idl.report import Report
from rpcmemkit.idl.scope import Alias, Record, Scope, base_type
from rpcmemkit.idl.source import Source
from rpcmemkit.idl.switches import Switches
from rpcmemkit.idl.unions import UntypedUnions, check_arms, discriminates, switch_type
from rpcmemkit.types import (
    BASES,
    Arm,
    Base,
    ContextHandle,
    Converted,
    EncapsulatedUnion,
    EnumType,
    Member,
    Opaque,
    Struct,
    Type,
    Union,
)


class Resolver(Context):
    """Resolves the declarations of one compilation, in order."""

    def __init__(self, scope: Scope, report: Report, switches: Switches) -> None:
        super().__init__(scope, report, switches)
        self.members: dict[int, Declared] = {}  # by id of the types.Member, for diagnostics
        self.unsent_labels: dict[int, tuple[Source, Token, int]] = {}  # by id of the EnumType
        self.generic_handles: set[str] = set()  # types with [handle], by name
        self.untyped = UntypedUnions(self)
        self.open: set[int] = set()  # the structures and unions whose braces are open, by id
        self.applier = Applier(self)
        self.defaulted = False  # whether a pointer had to take the default of the mode

    # --- type specifiers ---------------------------------------------------------------------

    def core(self, core: s.Core, place: Place) -> tuple[list[Level], Type]:
        """The levels and the base that a type specifier stands for."""
        if isinstance(core, s.BaseSpec):
            return [], self._base(core, place)
        if isinstance(core, s.NamedSpec):
            return self._named(core, place)
        return [], self._tagged(core, place, s.NO_ATTRIBUTES)

    def _base(self, core: s.BaseSpec, place: Place) -> Type:
        found = base_type(core.words)
        if found is None:
            self.report.add(
                Finding.NO_BASE_TYPE, place.source, core.at, len(core.words), words=repr(core.words)
            )
            return Opaque("unknown", core.words)
        return found

    def _named(self, core: s.NamedSpec, place: Place) -> tuple[list[Level], Type]:
        alias = None if core.interface else self.scope.aliases.get(core.name.rpartition(".")[2])
        if alias is not None:
            return copies(alias.levels), alias.base
        plain = core.name.rpartition(".")[2]
        if plain in self.scope.interfaces or core.interface:
            return [], Opaque("interface", core.name)
        if plain in self.scope.tags:
            return [], self.scope.tags[plain]
        hint = dialect_hint(plain)
        self.report.add(
            Finding.UNKNOWN_TYPE, place.source, core.at, len(core.name), name=repr(core.name), remedy=hint
        )
        self.scope.aliases[plain] = Alias(plain, [], Opaque("unknown", plain))  # one report per name
        return [], Opaque("unknown", core.name)

    def _tagged(self, core: s.Core, place: Place, attributes: s.Attributes) -> Type:
        if isinstance(core, s.EnumSpec):
            return self._enum(core, place, attributes)
        if isinstance(core, s.SwitchedSpec):
            return self._switched(core, place)
        if isinstance(core, s.RecordSpec):
            return self._record(core, place, attributes)
        if isinstance(core, s.PipeSpec):
            return self._holder("pipe", "", core.element, place)
        assert isinstance(core, s.SafeArraySpec)
        return self._holder("safearray", "SAFEARRAY", core.element.core, place)

    def _holder(self, what: str, name: str, core: s.Core, place: Place) -> Type:
        """A pipe or SAFEARRAY of elements."""
        found = Opaque(what, name, self._element(core, place))
        assert found.element is not None
        self.extents.note(found, [self.extents.of(found.element)])
        return found

    def _element(self, core: s.Core, place: Place) -> Type:
        levels, base = self.core(core, place)
        return assemble(levels, base, place.fallback)

    # --- enumerations ------------------------------------------------------------------------

    def _enum(self, core: s.EnumSpec, place: Place, attributes: s.Attributes) -> Type:
        found = self._tag(core.tag, EnumType, core, core.labels is not None, place)
        if found is not None or core.labels is None:
            return found or Opaque("unknown", core.tag or "")
        enum = EnumType(core.tag or "", {}, v1="v1_enum" in attributes)
        self._remember(core.tag, enum)
        value = -1
        for label, run in core.labels:
            value = value + 1 if run is None else self.constant(run, place, value + 1)
            known = value if place.scoped_labels else self.scope.constants.get(str(label), value)
            if label in enum.labels or known != value:
                self.report.add(
                    Finding.DEFINED_TWICE,
                    place.source,
                    s.start(label),
                    len(label),
                    name=repr(str(label)),
                )
            enum.labels[str(label)] = value
            if not place.scoped_labels:
                self.scope.constants[str(label)] = value
            self._check_label(enum, label, value, place)
        return enum

    def _check_label(self, enum: EnumType, label: Token, value: int, place: Place) -> None:
        """A label is an int of C; one that is no 16-bit number is remembered until the type is sent (enum.md)."""
        if not -(1 << 31) <= value < 1 << 32:
            self.report.add(Finding.BAD_NUMBER, place.source, s.start(label), len(label), text=value)
        enum.labels[str(label)] = wrapped(value, _LONG)
        if not (enum.v1 or 0 <= value <= 0x7FFF):
            self.unsent_labels.setdefault(id(enum), (place.source, label, value))

    def _tag(self, tag: str | None, kind: type, core: s.Core, defines: bool, place: Place) -> Record | None:
        """The type already known by this tag, if it may be used or completed here."""
        found = self.scope.tags.get(tag) if tag else None
        if found is None:
            if not defines and kind is EnumType:
                self.report.add(Finding.UNKNOWN_TYPE, place.source, core.at, name=repr(f"enum {tag}"))
            return None
        if not isinstance(found, kind) or (defines and id(found) not in self.scope.incomplete):
            self.report.add(Finding.DEFINED_TWICE, place.source, core.at, len(tag or ""), name=repr(tag))
            return None
        return found

    def _remember(self, tag: str | None, record: Record) -> None:
        if tag:
            self.scope.tags[tag] = record

    # --- structures and unions -----------------------------------------------------------------

    def _record(self, core: s.RecordSpec, place: Place, attributes: s.Attributes) -> Type:
        kind: type[Struct] | type[Union] = Struct if core.keyword == "struct" else Union
        defines = core.members is not None
        known = self.scope.tags.get(core.tag or "")
        if isinstance(known, EncapsulatedUnion) and not defines:
            return known  # in C it is a structure with this tag: MS-RRASM writes `struct` where it uses one
        found = self._tag(core.tag, kind, core, defines, place)
        record = found if isinstance(found, (Struct, Union)) else self._new_record(core)
        if core.members is None:
            return record
        self.open.add(id(record))
        if isinstance(record, Struct):
            record.pack = place.source.pack_at(core.at)
            record.members = self._members(core.members, place)
            parts = record.members
        else:
            switch = switch_type(self, attributes, place)
            record.switch = switch or record.switch
            record.arms = self._arms(core.members, place)
            check_arms(self, record, core.members, place, stated=switch is not None)
            if switch is None:
                self.untyped.add(record, core.members, place)
            parts = [arm.member for arm in record.arms if arm.member]
        self.extents.note(record, (self.extents.of(part.type) for part in parts))
        self.scope.incomplete.discard(id(record))
        self.open.discard(id(record))
        return record

    def _new_record(self, core: s.RecordSpec) -> Struct | Union:
        name = core.tag or ""
        record = Struct(name, tagged=bool(name)) if core.keyword == "struct" else Union(name, _LONG)
        self.scope.incomplete.add(id(record))
        self._remember(core.tag, record)
        return record

    def _members(self, fields: list[s.Field], place: Place) -> list[Member]:
        inner = place.inner()
        for declared in self._declare_fields(fields, inner):
            name = declared.name or f"anonymous{len(inner.siblings) + 1}"
            if name in inner.siblings:
                self.report.add(Finding.DEFINED_TWICE, place.source, declared.at, len(name), name=repr(name))
            inner.siblings[name] = declared
        return [self._member(name, declared, inner) for name, declared in inner.siblings.items()]

    def _declare_fields(self, fields: list[s.Field], place: Place) -> Iterator[Declared]:
        for field_ in fields:
            if field_.specifiers is None:
                continue
            targets = [declarator.target for declarator in field_.targets]
            declared = self.declare(field_.attributes, field_.specifiers, targets, place)
            for each, declarator in zip(declared, field_.targets, strict=True):
                each.bits = declarator.bits is not None
                yield each

    def _member(self, name: str, declared: Declared, place: Place) -> Member:
        Placement(self, "member", name, place.source, declared.attributes).check()
        self.applier.apply(declared, place)
        self._complete(declared, place)
        member = Member(name, self.finish(declared, place))
        self.members[id(member)] = declared
        return member

    def _complete(self, declared: Declared, place: Place) -> None:
        """A type whose members are unknown may only stand behind a pointer."""
        if id(declared.base) not in self.scope.incomplete or any(level.pointer for level in declared.levels):
            return
        name = getattr(declared.base, "name", "")
        code = Finding.CONTAINS_ITSELF if id(declared.base) in self.open else Finding.NO_MEMBERS
        self.report.add(code, place.source, declared.at, len(declared.name), name=repr(name or declared.name))

    def _arms(self, fields: list[s.Field], place: Place) -> list[Arm]:
        arms: list[Arm] = []
        for field_ in fields:
            case, default = field_.attributes.get("case"), "default" in field_.attributes
            labels = tuple(run for run in case.arguments if run) if case else ()
            arms.append(self._arm(labels, default, field_, place))
        return arms

    def _arm(self, labels: tuple[s.Run, ...], default: bool, content: s.Field, place: Place) -> Arm:
        values = tuple(self.constant(run, place) for run in labels)
        members = self._members([content], place)
        return Arm(values, members[0] if members else None, default)

    def _switched(self, core: s.SwitchedSpec, place: Place) -> Type:
        self._tag(core.tag, EncapsulatedUnion, core, True, place)
        levels, base = self.core(core.switch.core, place)
        if levels or not discriminates(base):
            self.report.add(Finding.BAD_SWITCH_TYPE, place.source, core.switch.at)
            base = _LONG
        assert isinstance(base, (Base, EnumType))
        name = core.union_name or "tagged_union"
        union = Union(core.tag or "", base)
        result = EncapsulatedUnion(core.tag or "", core.switch_name, name, union)
        self._remember(core.tag, result)
        union.arms = [self._arm(case.labels, case.default, case.content, place) for case in core.cases]
        check_arms(self, union, [case.content for case in core.cases], place)
        parts = [self.extents.of(arm.member.type) for arm in union.arms if arm.member]
        self.extents.note(result, [self.extents.note(union, parts)])
        return result

    # --- declarations ------------------------------------------------------------------------

    def declare(
        self, attributes: s.Attributes, specifiers: s.Specifiers, targets: Iterable[s.Target], place: Place
    ) -> Iterator[Declared]:
        """Levels and base of each declarator; attributes are applied later, when all neighbours are known."""
        if isinstance(specifiers.core, (s.RecordSpec, s.EnumSpec)):
            base = self._tagged(specifiers.core, place, attributes)
            inner: list[Level] = []
        else:
            inner, base = self.core(specifiers.core, place)
        const = specifiers.const or self._is_const(specifiers.core)
        for target in targets:
            own = [self._level(layer, place) for layer in target.layers]
            levels, nested = self._nested(own + copies(inner), base, target, place)
            yield Declared(
                target.name,
                target.at,
                place.source,
                attributes,
                levels,
                nested,
                const=const,
                generic=not own and self._is_generic_handle(specifiers.core),
            )

    def _nested(
        self, levels: list[Level], base: Type, target: s.Target, place: Place
    ) -> tuple[list[Level], Type]:
        """Levels and base, unless they are nested too deeply; that is reported where it becomes so."""
        height = self.extents.declared(levels, base).height
        if height <= DEEPEST:
            return levels, base
        if self.extents.of(base) != TOO_DEEP:
            self.report.add(
                Finding.TOO_DEEP, place.source, target.at, len(target.name), limit=DEEPEST, remedy=SHALLOWER
            )
        return [], self.extents.too_deep

    def _is_const(self, core: s.Core) -> bool:
        """Whether a type is const by its typedef, as LPCWSTR is."""
        alias = self.scope.aliases.get(core.name) if isinstance(core, s.NamedSpec) else None
        return alias is not None and alias.const

    def _is_generic_handle(self, core: s.Core) -> bool:
        return isinstance(core, s.NamedSpec) and core.name in self.generic_handles

    def _level(self, layer: s.Layer, place: Place) -> Level:
        if isinstance(layer, s.PointerLayer):
            return Level("pointer", default=place.default)
        if isinstance(layer, s.FunctionLayer):
            return Level("function")
        return Level("array", bound=self._bound(layer, place))

    def _bound(self, layer: s.ArrayLayer, place: Place) -> int | None:
        run = layer.bound
        if run is None or list(run) == ["*"]:
            return None
        dots = next((index for index, token in enumerate(run) if token == ".."), None)
        if dots is not None:
            return self._dce_bound(run[:dots], run[dots + 1 :], layer, place)
        bound = self.constant(run, place, 1)
        return self._checked_bound(bound, layer, place)

    def _dce_bound(self, low: s.Run, high: s.Run, layer: s.ArrayLayer, place: Place) -> int | None:
        """``[0..7]``: the bounds of DCE IDL, both included."""
        if not low or not high or self.constant(low, place) != 0:
            self.report.add(Finding.LOWER_BOUND, place.source, layer.at)
            return 1
        if list(high) == ["*"]:
            return None
        return self._checked_bound(self.constant(high, place) + 1, layer, place)

    def _checked_bound(self, bound: int, layer: s.ArrayLayer, place: Place) -> int:
        if 1 <= bound <= LARGEST:
            return bound
        self.report.add(Finding.BAD_BOUND, place.source, layer.at, text=bound)
        return 1

    # --- attributes --------------------------------------------------------------------------

    def finish(self, declared: Declared, place: Place, *, parameter: bool = False) -> Type:
        """The type itself."""
        self._note_default(declared, parameter)
        declared.type = assemble(declared.levels, declared.base, place.fallback, parameter=parameter)
        return declared.type

    def _note_default(self, declared: Declared, parameter: bool) -> None:
        for level in declared.levels[1 if parameter else 0 :]:
            if level.pointer and level.kind is None and level.default is None:
                self.defaulted = True

    # --- typedefs and constants ----------------------------------------------------------------

    def typedef(self, declaration: s.Declaration, place: Place) -> None:
        """Enter every name that a typedef declares."""
        targets = [declarator.target for declarator in declaration.targets]
        for declared in self.declare(declaration.attributes, declaration.specifiers, targets, place):
            self.applier.apply(declared, place)
            self._enter(declared, place)

    def _enter(self, declared: Declared, place: Place) -> None:
        if place.own:
            declared.acf = self.acf.of_type(declared.name)
        self._note_handle(declared)
        self._check_placement(declared, place)
        declared.mark(declared.acf)
        apply_allocate(self, declared)
        base: Type = declared.base
        levels = declared.levels
        if isinstance(base, ContextHandle):
            base.is_type = True
        check_conversion(self, declared, place)
        conversion = converted(self, declared, place)
        if conversion is not None:
            levels, base = [], self._shallow(conversion, declared)
        self._name_anonymous(base, declared.name, levels)
        alias = Alias(declared.name, levels, base, place.source, declared.const)
        known = self.scope.aliases.get(declared.name)
        if known is not None and known.source is None:
            self._predefined(declared, known, levels, base)
            return
        if known is not None and not _alike(known.base, base):
            self.report.add(
                Finding.DEFINED_TWICE, place.source, declared.at, len(declared.name), name=repr(declared.name)
            )
        self.scope.aliases[declared.name] = alias

    def _shallow(self, conversion: Converted, declared: Declared) -> Type:
        """A conversion of a conversion of … has an end, too."""
        parts = [self.extents.of(part) for part in (conversion.presented, conversion.sent)]
        height = self.extents.note(conversion, parts).height
        if height <= DEEPEST:
            return conversion
        if height < TOO_DEEP.height:
            self.complain(Finding.TOO_DEEP, declared, limit=DEEPEST, remedy=SHALLOWER)
        return self.extents.too_deep

    def _predefined(self, declared: Declared, known: Alias, levels: list[Level], base: Type) -> None:
        """A predefined type may be defined as what it is, as C headers do; it stays what it is."""
        same = isinstance(known.base, Base) and isinstance(base, Base) and known.base.size == base.size
        if isinstance(known.base, Opaque):  # handle_t is a void * in C
            same = isinstance(base, Opaque) and (base is known.base or (base.what == "void" and bool(levels)))
        elif levels or (known.name in _AS_THE_PAGE_SAYS and base not in _AS_THE_PAGE_SAYS[known.name]):
            same = False
        if not same:
            code = {"wchar_t": Finding.OTHER_WCHAR, "error_status_t": Finding.OTHER_ERROR_STATUS}.get(
                known.name, Finding.DEFINED_TWICE
            )
            self.complain(code, declared)

    def _note_handle(self, declared: Declared) -> None:
        declared.generic = declared.generic or "handle" in declared.attributes
        if declared.generic:
            self.generic_handles.add(declared.name)

    def _check_placement(self, declared: Declared, place: Place) -> None:
        placement = Placement(self, "type", declared.name, place.source, declared.both)
        placement.check()
        placement.serialization(declared.base if not declared.levels else None)
        if ignore := declared.attributes.get("ignore"):
            self.complain(Finding.DOES_NOT_APPLY, declared, ignore, attribute="ignore")

    def _name_anonymous(self, base: Type, name: str, levels: list[Level]) -> None:
        """``typedef struct { … } POINT``: the structure is called POINT."""
        if isinstance(base, (Struct, Union, EnumType, EncapsulatedUnion)) and not base.name and not levels:
            base.name = name
            if isinstance(base, EncapsulatedUnion):
                base.union.name = name

    def tagged(self, declaration: s.Declaration, place: Place) -> None:
        """``struct tag { … };`` without any declarator."""
        self._tagged(declaration.specifiers.core, place, declaration.attributes)

    def define_constant(self, declaration: s.Declaration, place: Place) -> None:
        """``const long LIMIT = 5;``"""
        for declarator in declaration.targets:
            run = declarator.value
            if run is None:
                continue
            name = declarator.target.name
            for declared in self.declare(s.NO_ATTRIBUTES, declaration.specifiers, [declarator.target], place):
                value = self._constant_value(run, declared, place)
                if self.scope.constants.setdefault(name, value) != value:
                    self.report.add(
                        Finding.DEFINED_TWICE, place.source, declared.at, len(name), name=repr(name)
                    )

    def _constant_value(self, run: s.Run, declared: Declared, place: Place) -> object:
        base = declared.base
        if all(token.type == "STRING" for token in run):
            if not declared.levels and isinstance(base, (Base, Struct, EnumType)):
                self._not_of_type(Finding.CONSTANT_OF_OTHER_TYPE, run, declared, place, str(run[0]))
            return "".join(unquote(token) for token in run)
        if isinstance(base, Base) and base.code in "fd" and not declared.levels:
            return self._float(run, place)
        value = self.constant(run, place)
        bare = len(run) == 1 and value != 0  # a cast makes a pointer of anything
        if isinstance(base, Struct) if not declared.levels else bare:
            self._not_of_type(Finding.CONSTANT_OF_OTHER_TYPE, run, declared, place, value)
        if not isinstance(base, Base) or declared.levels:
            return value
        bits = 8 * base.size
        # numbers here have no width: ~0x80000000 is below the smallest long, and what ocidl.idl writes for a DWORD
        if base.code != "?" and not -(1 << bits) <= value < 1 << bits:
            self._not_of_type(Finding.VALUE_NOT_IN_TYPE, run, declared, place, value)
        return wrapped(value, base)

    def _not_of_type(
        self, finding: Finding, run: s.Run, declared: Declared, place: Place, value: object
    ) -> None:
        name = getattr(declared.base, "name", "") or "void"
        type_ = name + " *" * bool(declared.levels)
        self.report.add(finding, place.source, s.start(run[0]), len(run[0]), value=value, type=type_)

    def _float(self, run: s.Run, place: Place) -> float:
        try:
            return float(read_real(run, VisibleNames(self, {})))
        except ExpressionError as error:
            self.complain_at(error, run, place)
            return 0.0


_LONG = Base("long", "i", 4)
_AS_THE_PAGE_SAYS = {  # MIDL2014, MIDL2205
    "wchar_t": (BASES["wchar_t"], BASES["unsigned short"]),
    "error_status_t": (BASES["error_status_t"], BASES["unsigned long"]),
}


def _alike(one: Type, other: Type) -> bool:
    """Whether a second typedef of the same name says the same."""
    if isinstance(one, Struct) and isinstance(other, Struct):
        return [member.name for member in one.members] == [member.name for member in other.members]
    if isinstance(one, EnumType) and isinstance(other, EnumType):
        return one.labels == other.labels
    return one is other or (type(one) is type(other) and isinstance(one, (Opaque, Converted)))
