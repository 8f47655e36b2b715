"""One compilation: files, imports, interfaces, and the attribute file beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from lark import Token

from rpcmemkit import given
from rpcmemkit.errors import Diagnostic, UsageError
from rpcmemkit.files import read_text, reason
from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.acf import Acf
from rpcmemkit.idl.check import Checker
from rpcmemkit.idl.conversions import settle_conversions
from rpcmemkit.idl.declared import Place
from rpcmemkit.idl.expressions import unquote
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.interfaces import InterfaceBuilder, pointer_default
from rpcmemkit.idl.levels import assemble, copies
from rpcmemkit.idl.parse import parse_acf, parse_idl
from rpcmemkit.idl.preprocess import read_source
from rpcmemkit.idl.report import Report
from rpcmemkit.idl.resolve import Resolver
from rpcmemkit.idl.scope import predefined
from rpcmemkit.idl.source import Folders, Source, where_to_get
from rpcmemkit.idl.switches import Switches
from rpcmemkit.trace import recording
from rpcmemkit.types import Interface, PointerKind, Type


@dataclass(frozen=True, slots=True)
class Compilation:
    """What a text defines. ``interfaces`` are its own, in order; ``types`` and ``constants`` what it can see.

    ``files`` are those that took part, ``acf_file`` is the attribute file or ``None``.
    """

    interfaces: list[Interface]
    types: Mapping[str, Type]
    constants: Mapping[str, object]
    warnings: list[Diagnostic]
    files: tuple[str, ...] = ()
    acf_file: str | None = None

    @property
    def interface(self) -> Interface:
        """The last interface. Raises :class:`~rpcmemkit.errors.UsageError` if the text defines none."""
        return self.named()[-1]

    def named(self, name: str | None = None) -> list[Interface]:
        """Return the interface of a name in a list, or all of them.

        Raises:
            UsageError: there is none.
        """
        if not self.interfaces:
            raise UsageError("the text defines no interface: write interface NAME { … }")
        if name is None:
            return self.interfaces
        known = [each.name for each in self.interfaces]
        if name not in known:
            raise UsageError(f"the text defines no interface {name}{given.meant(name, known)}")
        return [self.interfaces[known.index(name)]]


@dataclass(frozen=True, slots=True)
class Unit:
    """One parsed file."""

    source: Source
    items: list[s.Item]
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(eq=False, slots=True)
class Options:
    """How texts are compiled; ``root`` is the folder of the first one."""

    root: Path = Path()
    defines: Mapping[str, str] = field(default_factory=dict)
    switches: Switches = field(default_factory=Switches)

    @property
    def folders(self) -> Folders:
        search = tuple(map(Path, self.switches.include_dirs))
        return Folders(self.root, search, self.switches.include_anywhere)


SYNTAX = "IDL1"  # after these findings there is no tree that could be trusted
_PARSED: dict[tuple[object, ...], Unit] = {}


@recording()
def parse_text(text: str, file: str, options: Options) -> Unit:
    """Preprocess and parse one text."""
    report = Report()
    source = read_source(text, file, report, folders=options.folders, defines=options.defines)
    items = parse_idl(source, report, osf=options.switches.osf)
    return Unit(source, items, tuple(report.diagnostics))


def parse_file(path: Path, options: Options) -> Unit:
    """Parse a file, once per process as long as it does not change."""
    stat = path.stat()
    key = (
        path.resolve(),
        stat.st_mtime_ns,
        stat.st_size,
        options.folders,
        Path.cwd(),
        tuple(options.defines.items()),
        options.switches.osf,
    )
    if key not in _PARSED:
        _PARSED[key] = parse_text(read_text(path), str(path), options)
    return _PARSED[key]


class Compiler:
    """Walks through the root file and what it imports."""

    def __init__(self, options: Options, report: Report) -> None:
        self.options = options
        self.report = report
        self.scope = predefined()
        self.resolver = Resolver(self.scope, report, options.switches)
        self.checker = Checker(self.resolver)
        self.interfaces: list[Interface] = []
        self.open: list[Path] = []
        self.done: set[Path] = set()
        self.files: dict[str, None] = {}

    @recording()  # the collector finds nothing in trees and types under way
    def run(self, unit: Unit, acf: Acf) -> Compilation:
        self.report.diagnostics.extend(unit.diagnostics)
        self.report.stop_on_errors(SYNTAX)
        self.resolver.acf = acf
        self._used(unit.source, acf.source)
        self.open = [Path(unit.source.file).resolve()]
        place = Place(unit.source, _file_default(unit.items), self.resolver.mode_default)
        self._items(unit.items, place, None, own=True)
        settle_conversions(self.resolver, place)
        acf.report_unused(self.report, self.interfaces, self.scope.own_types())
        if pointers := self.scope.own_types(pointers=True):  # only now all of them are known
            self.report.advise(
                Finding.ALLOCATE_NO_POINTER, f"put it on a pointer type; there are: {', '.join(pointers)}"
            )
        self.report.stop_on_errors()
        types = self._types()
        for interface in self.interfaces:
            interface.types, interface.constants = types, self.scope.constants
        acf_file = acf.source.file if acf.source else None
        return Compilation(
            self.interfaces, types, self.scope.constants, self.report.warnings, tuple(self.files), acf_file
        )

    def _used(self, *sources: Source | None) -> None:
        """Remember which files took part."""
        for source in sources:
            self.files.update(dict.fromkeys(source.originals if source else ()))

    def _types(self) -> dict[str, Type]:
        types: dict[str, Type] = dict(self.scope.tags)
        for alias in self.scope.aliases.values():
            if alias.source is not None:
                types[alias.name] = assemble(copies(alias.levels), alias.base, self.resolver.mode_default)
        return types

    # --- items ---------------------------------------------------------------------------------

    def _items(
        self, items: list[s.Item], place: Place, builder: InterfaceBuilder | None, *, own: bool
    ) -> None:
        self._announce(items)
        for item in items:
            if isinstance(item, s.Declaration):
                self._declaration(item, place, builder)
            elif isinstance(item, s.Import):
                for name in item.files:
                    self._imported(name, place)
            elif item.is_interface:
                self._interface(item, place, own)
            elif item.items is not None and item.keyword in ("library", "module", "namespace"):
                inner = replace(place, scoped_labels=place.scoped_labels or item.keyword == "namespace")
                self._items(item.items, inner, None, own=own)
                if own and item.keyword == "namespace" and not any(_interfaces(item.items)):
                    self.report.add(Finding.EMPTY_NAMESPACE, place.source, item)

    def _announce(self, items: list[s.Item]) -> None:
        """Interfaces may be named before they are declared."""
        for item in items:
            if isinstance(item, s.Block) and item.keyword not in ("library", "namespace"):
                self.scope.interfaces.setdefault(item.name.rpartition(".")[2], None)

    def _declaration(self, item: s.Declaration, place: Place, builder: InterfaceBuilder | None) -> None:
        if item.typedef:
            self.resolver.typedef(item, place)
        elif item.specifiers.const and any(target.value for target in item.targets):
            self.resolver.define_constant(item, place)
        elif not item.targets:
            self.resolver.tagged(item, place)
        elif builder is not None:
            for target in item.targets:
                builder.add(item, target)

    def _interface(self, item: s.Block, place: Place, own: bool) -> None:
        default = pointer_default(item.attributes) or place.default
        inner = replace(place, default=default)
        acf = self.resolver.acf if own else Acf()
        builder = InterfaceBuilder(item, self.resolver, acf, inner, self.checker if own else None)
        self.resolver.defaulted = False
        self._items(item.items or [], inner, builder, own=own)
        self.scope.interfaces[item.name] = builder.interface
        if own:
            self._warn(item, place, builder.interface)
            self.interfaces.append(builder.interface)

    def _warn(self, item: s.Block, place: Place, interface: Interface) -> None:
        """What the interface leaves unsaid."""
        if interface.is_object or not interface.procedures:
            return
        complain, switches = partial(self.resolver.complain_in, place.source, item), self.options.switches
        if self.resolver.defaulted:
            complain(Finding.NO_POINTER_DEFAULT_DCE if switches.osf else Finding.NO_POINTER_DEFAULT)
        if switches.effective_mode != switches.mode:
            complain(Finding.ROBUST_MODE, mode=switches.mode)
        if switches.maybenull_sizeis and not switches.has("disable_consistency_check"):
            complain(Finding.TARGET_TOO_OLD, feature="/backward_compat maybenull_sizeis", level="NT60")
        if interface.uuid is None:
            complain(Finding.NO_UUID)

    # --- imports -------------------------------------------------------------------------------

    def _imported(self, token: Token, place: Place) -> None:
        """Find a file, and compile it unless that is done; say what stands in the way."""
        name = unquote(token)
        complain = partial(self.resolver.complain_in, place.source, token, name=repr(name))
        try:
            path = self.options.folders.find(name, Path(place.source.file).parent)
            known = path is None or path in self.done or path in self.open
            unit = None if known or path is None else parse_file(path, self.options)
        except (UsageError, OSError) as error:
            complain(Finding.FILE_NOT_READ, why=reason(error))
            return
        if path is None:
            complain(Finding.NO_SUCH_FILE, remedy=where_to_get(name))
            return
        if path.name != (last := Path(name).name) and path.name.casefold() == last.casefold():
            complain(Finding.OTHER_CASE_OF_FILE, found=repr(path.name))
        if path in self.open:
            chain = " → ".join(each.name for each in [*self.open[self.open.index(path) :], path])
            complain(Finding.IMPORTS_ITSELF, chain=chain)
        elif unit:
            self._import(path, unit, place)

    def _import(self, path: Path, unit: Unit, importer: Place) -> None:
        self._used(unit.source)
        self.report.diagnostics.extend(found for found in unit.diagnostics if found.severity == "error")
        self.report.stop_on_errors(SYNTAX)
        fallback = (
            self.resolver.mode_default if self.options.switches.osf else importer.default or importer.fallback
        )
        self.open.append(path)
        self._items(
            unit.items, Place(unit.source, _file_default(unit.items), fallback, own=False), None, own=False
        )
        self.open.pop()
        self.done.add(path)


def _interfaces(items: list[s.Item]) -> Iterator[s.Block]:
    """Yield the interfaces that some items define, also within blocks."""
    for item in items:
        if isinstance(item, s.Block) and item.is_interface:
            yield item
        elif isinstance(item, s.Block):
            yield from _interfaces(item.items or [])


def _file_default(items: list[s.Item]) -> PointerKind | None:
    """The pointer_default of a file: that of its first interface that has one."""
    interfaces = (item for item in items if isinstance(item, s.Block) and item.is_interface)
    return next(filter(None, (pointer_default(each.attributes) for each in interfaces)), None)


def compile_unit(unit: Unit, acf: str | None, acf_file: str, options: Options) -> Compilation:
    """Compile a parsed text with its attribute file. Raises :class:`~rpcmemkit.errors.IdlError`."""
    report = Report()
    if acf is None:
        return Compiler(options, report).run(unit, Acf())
    folders = replace(options.folders, root=Path(acf_file).parent)
    source = read_source(acf, acf_file, report, folders=folders, defines=options.defines)
    return Compiler(options, report).run(
        unit, Acf.of(source, parse_acf(source, report, osf=options.switches.osf))
    )
