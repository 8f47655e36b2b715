"""The attribute configuration file: attributes for an interface that another file defines (the-acf-body.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lark import Token

from rpcmemkit import given
from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.report import Report
from rpcmemkit.idl.source import Source
from rpcmemkit.types import Interface


@dataclass(eq=False, slots=True)
class Acf:
    """What one ACF text says, by name. Names that nobody asks for are reported by :meth:`report_unused`."""

    source: Source | None = None
    interfaces: dict[str, s.AcfInterface] = field(default_factory=dict)
    unused: dict[tuple[str, ...], tuple[Finding, Token]] = field(default_factory=dict)
    types: dict[str, list[tuple[str, s.Attributes]]] = field(default_factory=dict)
    procedures: dict[tuple[str, str], s.AcfProcedure] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Source, interfaces: list[s.AcfInterface]) -> Acf:
        acf = cls(source, {str(interface.name): interface for interface in interfaces})
        for interface in interfaces:
            acf._expect(Finding.ACF_UNKNOWN_NAME, interface.name)
            for item in interface.items:
                if isinstance(item, s.AcfTypes):
                    for name in item.names:
                        acf._expect(Finding.ACF_UNKNOWN_TYPE, interface.name, "typedef", name)
                        acf.types.setdefault(str(name), []).append((str(interface.name), item.attributes))
                else:
                    acf.procedures.setdefault((str(interface.name), str(item.name)), item)
                    acf._expect(Finding.ACF_UNKNOWN_NAME, interface.name, item.name)
                    for _, parameter in item.parameters:
                        acf._expect(Finding.ACF_UNKNOWN_NAME, interface.name, item.name, parameter)
        return acf

    def _expect(self, finding: Finding, *path: Token | str) -> None:
        last = path[-1]
        assert isinstance(last, Token)
        if last != "void":
            self.unused[tuple(map(str, path))] = (finding, last)

    def of_interface(self, name: str) -> s.Attributes:
        self.unused.pop((name,), None)
        found = self.interfaces.get(name)
        return _marked(found.attributes) if found else s.NO_ATTRIBUTES

    def of_type(self, name: str) -> s.Attributes:
        """The attributes of a type, whichever interface of the file names it."""
        entries = self.types.get(name, [])
        for interface, _ in entries:
            self.unused.pop((interface, "typedef", name), None)
        items = tuple(item for _, attributes in entries for item in attributes.items)
        return _marked(s.Attributes(0, items)) if items else s.NO_ATTRIBUTES

    def of_procedure(self, interface: str, name: str) -> s.Attributes:
        self.unused.pop((interface, name), None)
        found = self.procedures.get((interface, name))
        return _marked(found.attributes) if found else s.NO_ATTRIBUTES

    def of_parameter(self, interface: str, procedure: str, name: str) -> s.Attributes:
        self.unused.pop((interface, procedure, name), None)
        found = self.procedures.get((interface, procedure))
        for attributes, parameter in found.parameters if found else ():
            if parameter == name:
                return _marked(attributes)
        return s.NO_ATTRIBUTES

    def _is_status(self, interface: str, procedure: str, name: str) -> bool:
        """Whether a parameter has a status attribute: MIDL generates it where the IDL file has none (fault-status.md)."""
        found = self.procedures.get((interface, procedure))
        named = (
            [attributes for attributes, parameter in found.parameters if parameter == name] if found else []
        )
        return any(attributes.get("comm_status", "fault_status") for attributes in named)

    def report_unused(self, report: Report, interfaces: Iterable[Interface], types: Iterable[str]) -> None:
        """Report every name in the file that the interface does not have, with those that there are."""
        by_name = {each.name: each for each in interfaces}
        for path, (finding, token) in self.unused.items():
            assert self.source is not None
            known = [*types] if finding is Finding.ACF_UNKNOWN_TYPE else _known(by_name, path)
            remedy = given.hint(str(token), known, f"there are: {', '.join(known)}" if known else "")
            if len(path) == 3 and self._is_status(*path):
                remedy = f"declare it last in the IDL file: [out] error_status_t *{token}; MIDL may add it, this compiler does not"
            report.add(finding, self.source, token, remedy=remedy)


def _marked(attributes: s.Attributes) -> s.Attributes:
    return s.Attributes(attributes.at, tuple(each._replace(acf=True) for each in attributes.items))


def _known(interfaces: Mapping[str, Interface], path: tuple[str, ...]) -> list[str]:
    """Return the names beside the last one of a path: of interfaces, procedures or parameters."""
    if len(path) == 1 or path[0] not in interfaces:
        return [*interfaces]
    procedures = interfaces[path[0]].procedures
    if len(path) == 2 or path[1] not in procedures:
        return [*procedures]
    return [parameter.name for parameter in procedures[path[1]].parameters]
