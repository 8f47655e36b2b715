"""Interfaces and their procedures: opnums, directions, defaults, and what the attribute file adds."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lark import Token

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.acf import Acf
from rpcmemkit.idl.apply import POINTER_KINDS
from rpcmemkit.idl.attributes import row
from rpcmemkit.idl.check import Checker
from rpcmemkit.idl.declared import Declared, Place
from rpcmemkit.idl.expressions import ExpressionError, read_number, unquote
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.memory import apply_parameter, check_byte_count, check_orphaning
from rpcmemkit.idl.placement import Placement, StatusCheck
from rpcmemkit.idl.resolve import Resolver
from rpcmemkit.types import SERIALIZATION, Interface, Opaque, Parameter, PointerKind, Procedure, Type

_STATUS = ("HRESULT", "SCODE", "error_status_t")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_VERSION = re.compile(r"\d{1,5}(\.\d{1,5})?")


class InterfaceBuilder:
    """Builds one :class:`~rpcmemkit.types.Interface`, item by item."""

    def __init__(
        self, body: s.InterfaceBody, resolver: Resolver, acf: Acf, place: Place, checker: Checker | None
    ) -> None:
        self.body = body
        self.resolver = resolver
        self.report = resolver.report
        self.acf = acf
        self.place = place
        self.checker = checker
        self.source = place.source
        self.local = "local" in body.attributes
        self.callbacks = 0
        self.statuses = StatusCheck()
        self.kind: bool | None = None  # whether the first procedure serializes
        self.interface = self._empty()
        self.next_opnum = len({procedure.opnum for procedure in self.interface.procedures.values()})

    # --- the interface itself ------------------------------------------------------------------

    def _empty(self) -> Interface:
        base = self._base()
        attributes = self.body.attributes + self.acf.of_interface(self.body.name)
        self._pointer_default(attributes)
        Placement(self.resolver, "interface", self.body.name, self.source, attributes).check()
        dispatch = self.body.keyword == "dispinterface"
        return Interface(
            name=self.body.name,
            uuid=self._uuid(),
            version=self._version(),
            procedures=dict(base.procedures) if base else {},
            types={},
            attributes=values(attributes),
            is_object=dispatch
            or attributes.get("object", "odl") is not None
            or bool(base and base.is_object),
            osf=self.resolver.osf,
        )

    def _pointer_default(self, attributes: s.Attributes) -> None:
        attribute = attributes.get("pointer_default")
        if attribute is not None and pointer_default(attributes) is None:
            name = attribute.name
            self.report.add(
                Finding.BAD_ARGUMENT, self.source, attribute.at, len(name), name=name, what=row(name).needs
            )

    def _base(self) -> Interface | None:
        if not self.body.bases:
            return None
        base = self.body.bases[0]
        if base.name.rpartition(".")[2] not in self.resolver.scope.interfaces:
            self.report.add(
                Finding.UNKNOWN_BASE_INTERFACE, self.source, base.at, len(base.name), name=repr(base.name)
            )
        return self.resolver.scope.interface(base.name)

    def _uuid(self) -> str | None:
        attribute = self.body.attributes.get("uuid")
        if attribute is None:
            return None
        text = "".join(attribute.argument)
        text = text.strip('"{}')
        if not _UUID.fullmatch(text):
            self.report.add(Finding.BAD_UUID, self.source, attribute.at, len("uuid"), text=repr(text))
        return text.lower()

    def _version(self) -> tuple[int, int]:
        attribute = self.body.attributes.get("version")
        if attribute is None:
            return (0, 0)
        text = "".join(attribute.argument)
        if not _VERSION.fullmatch(text):
            self.report.add(Finding.BAD_VERSION, self.source, attribute.at, len("version"), text=repr(text))
            return (0, 0)
        major, _, minor = text.partition(".")
        return (int(major), int(minor or 0))

    # --- procedures ----------------------------------------------------------------------------

    def procedure(self, declaration: s.Declaration, target: s.Target) -> None:
        """Add the procedure that ``target`` declares, unless it stays on its own machine."""
        function = target.layers[0]
        assert isinstance(function, s.FunctionLayer)
        local = self.local or "local" in declaration.attributes
        if local and not self.interface.is_object:
            return
        self._reserve_name(target)
        opnum = self._opnum(declaration.attributes)
        extra = self.acf.of_procedure(self.body.name, target.name)
        attributes = declaration.attributes + extra
        placement = Placement(self.resolver, "procedure", target.name, self.source, attributes)
        placement.check()
        parameters = self._parameters(function, target.name)
        result = self._result(declaration, target)
        self.statuses = StatusCheck()
        built = [self._finish_parameter(declared, target.name) for declared in parameters]
        returned = self._result_type(result)
        self.interface.procedures[target.name] = Procedure(
            target.name,
            opnum,
            built,
            returned,
            self.source.quote(declaration.at, declaration.end),
            self._procedure_attributes(attributes),
        )
        placement.serialization(result.base)
        self.statuses.procedure(placement, returned)
        if self.checker is not None and not local:
            result.acf = extra
            self.checker.procedure(parameters, built, result, returned)
            self._check_memory(parameters, built)
            self._check_one_way(declaration, parameters, result)
            self._check_serialization(target)

    def _check_serialization(self, target: s.Target) -> None:
        """A procedure is remote or serializes, and so are its neighbours (encode.md, MIDL2277)."""
        serializes = self.interface.procedures[target.name].serializes
        if serializes:
            code = Finding.SERIALIZES_OBJECT if self.interface.is_object else Finding.SERIALIZES
            self.report.add(code, self.source, target.at, len(target.name), name=repr(target.name))
        if self.kind not in (None, serializes):
            self.report.add(
                Finding.SERIALIZES_MIXED, self.source, target.at, len(target.name), name=repr(target.name)
            )
        self.kind = serializes if self.kind is None else self.kind

    def _check_one_way(
        self, declaration: s.Declaration, parameters: list[Declared], result: Declared
    ) -> None:
        """A call with [maybe] or [message] has no response (maybe.md)."""
        attribute = declaration.attributes.get("maybe", "message")
        if attribute is None:
            return
        core = declaration.specifiers.core
        status = not result.levels and isinstance(core, s.NamedSpec) and core.name in _STATUS
        back = [declared for declared in parameters if "out" in declared.attributes]
        for declared in back + ([] if status or _is_void(result) else [result]):
            self.resolver.complain(Finding.ONE_WAY, declared, attribute=attribute.name)

    def variable(self, declaration: s.Declaration, target: s.Target) -> None:
        """What an interface does not have, apart from the properties of a dispinterface."""
        external = {"extern", "static"} & set(declaration.specifiers.qualifiers)
        if self.checker is None or external or self.body.keyword == "dispinterface":
            return
        array = isinstance(target.layers[0], s.ArrayLayer) if target.layers else False
        procedures = array and any(isinstance(layer, s.FunctionLayer) for layer in target.layers)
        code = Finding.ARRAY_OF_PROCEDURES if procedures else Finding.VARIABLE
        self.report.add(code, self.source, target.at, len(target.name), name=repr(target.name))

    def _procedure_attributes(self, attributes: s.Attributes) -> Mapping[str, object]:
        """With /rpcss every procedure has [enable_allocate] (-rpcss.md)."""
        implied = {"enable_allocate": True} if self.resolver.switches.rpcss else {}
        implied |= {name: True for name in SERIALIZATION if name in self.interface.attributes}
        return {**implied, **values(attributes)}

    def _check_memory(self, parameters: list[Declared], built: list[Parameter]) -> None:
        by_name = {
            declared.name: (declared, parameter)
            for declared, parameter in zip(parameters, built, strict=True)
        }
        for declared, parameter in by_name.values():
            check_byte_count(self.resolver, declared, parameter, by_name)
            check_orphaning(self.resolver, declared, parameter)

    def _reserve_name(self, target: s.Target) -> None:
        known = self.interface.procedures.get(target.name)
        if known is not None and not self.interface.is_object:
            self.report.add(
                Finding.DEFINED_TWICE, self.source, target.at, len(target.name), name=repr(target.name)
            )

    def _opnum(self, attributes: s.Attributes) -> int:
        """The next number; [callback] procedures count on their own, [call_as] takes the number it stands for."""
        if "callback" in attributes:
            self.callbacks += 1
            return self.callbacks - 1
        replaced = attributes.get("call_as")
        if replaced and replaced.argument and self.interface.is_object:
            known = self.interface.procedures.get(str(replaced.argument[0]))
            if known is not None:
                return known.opnum
        self.next_opnum += 1
        return self.next_opnum - 1

    def _parameters(self, function: s.FunctionLayer, procedure: str) -> list[Declared]:
        """The parameters, declared but without their attributes."""
        place = self.place.inner()
        self.inner = place
        for parameter in function.parameters:
            if parameter.specifiers is None:
                self.report.add(Finding.VARIABLE_ARGUMENTS, self.source, parameter.at, 3)
            elif not _is_void_alone(function):
                targets = [parameter.targets[0].target]
                for declared in self.resolver.declare(
                    parameter.attributes, parameter.specifiers, targets, place
                ):
                    self._enter(declared, place, len(place.siblings) + 1)
        ends = [parameter.at for parameter in function.parameters[1:]] + [function.end]
        captions = [
            self.source.quote(p.at, end).rstrip(" ,")
            for p, end in zip(function.parameters, ends, strict=False)
        ]
        self.captions = dict(zip(place.siblings, captions, strict=False))
        for declared in place.siblings.values():
            self.resolver.applier.apply(declared, place, declared.name)
        return list(place.siblings.values())

    def _enter(self, declared: Declared, place: Place, number: int) -> None:
        if not declared.name:
            if self.resolver.osf:
                self.report.add(Finding.NAMELESS_PARAMETER, self.source, declared.at)
            declared.name = f"parameter{number}"
        if declared.name in place.siblings:
            name = declared.name
            self.report.add(
                Finding.DEFINED_TWICE, self.source, declared.at, len(name), parameter=name, name=repr(name)
            )
        place.siblings[declared.name] = declared

    def _finish_parameter(self, declared: Declared, procedure: str) -> Parameter:
        declared.acf = self.acf.of_parameter(self.body.name, procedure, declared.name)
        apply_parameter(self.resolver, declared)
        is_out = "out" in declared.attributes
        is_in = "in" in declared.attributes or not is_out
        parameter = Parameter(
            declared.name,
            self.resolver.finish(declared, self.inner, parameter=True),
            is_in,
            is_out,
            self.captions[declared.name],
            self._parameter_attributes(declared),
        )
        self._check_placement(declared, parameter)
        return parameter

    def _check_placement(self, declared: Declared, parameter: Parameter) -> None:
        placement = Placement(self.resolver, "parameter", declared.name, self.source, declared.both)
        placement.check()
        placement.serialization(declared.base)
        self.statuses.parameter(placement, parameter.type, parameter.is_in)

    def _parameter_attributes(self, declared: Declared) -> Mapping[str, object]:
        """With maybenull_sizeis every sized parameter has [disable_consistency_check] (-backward-compat.md)."""
        found = dict(values(declared.both))
        maybe_null = self.resolver.switches.maybenull_sizeis
        if any(level.unchecked or (maybe_null and level.size is not None) for level in declared.levels):
            found["disable_consistency_check"] = True
        return found

    def _result(self, declaration: s.Declaration, target: s.Target) -> Declared:
        returned = s.Target(target.name, target.at, target.layers[1:])
        declared = next(
            self.resolver.declare(declaration.attributes, declaration.specifiers, [returned], self.place)
        )
        self.resolver.applier.apply(declared, self.inner)
        return declared

    def _result_type(self, declared: Declared) -> Type | None:
        found = self.resolver.finish(declared, self.inner)
        return None if isinstance(found, Opaque) and found.what == "void" else found


def _is_void(declared: Declared) -> bool:
    return not declared.levels and isinstance(declared.base, Opaque) and declared.base.what == "void"


def _is_void_alone(function: s.FunctionLayer) -> bool:
    if len(function.parameters) != 1:
        return False
    only = function.parameters[0]
    core = only.specifiers.core if only.specifiers else None
    target = only.targets[0].target
    return isinstance(core, s.BaseSpec) and core.words == "void" and not target.layers and not target.name


# --- attribute values ------------------------------------------------------------------------------


def pointer_default(attributes: s.Attributes) -> PointerKind | None:
    """The value of [pointer_default], if there is one."""
    attribute = attributes.get("pointer_default")
    run = attribute.argument if attribute else ()
    return POINTER_KINDS.get(str(run[0])) if run else None


def values(attributes: s.Attributes) -> Mapping[str, object]:
    """The attributes that the model has by name. The value is ``True``, a number, a text, or a tuple of several."""
    return {item.name: _value(item) for item in attributes.items if row(item.name).kept}


def _value(attribute: s.Attribute) -> object:
    if not attribute.arguments:
        return True
    parts = tuple(_part(run) for run in attribute.arguments)
    return parts[0] if len(parts) == 1 else parts


def _part(run: s.Run | None) -> object:
    if not run:
        return None
    if len(run) > 1:
        return " ".join(run)
    return _single(run[0])


def _single(token: Token) -> object:
    if token.type == "STRING":
        return unquote(token)
    try:
        return read_number(token) if token.type == "NUMBER" else str(token)
    except ExpressionError:
        return str(token)
