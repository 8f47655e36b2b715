"""One compilation: files, imports, interfaces, and the attribute file beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rpcmemkit.errors import Diagnostic, UsageError
from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.acf import Acf
from rpcmemkit.idl.check import Checker
from rpcmemkit.idl.conversions import settle_conversions
from rpcmemkit.idl.declared import Place
from rpcmemkit.idl.expressions import unquote
from rpcmemkit.idl.interfaces import InterfaceBuilder, pointer_default
from rpcmemkit.idl.levels import assemble, copies
from rpcmemkit.idl.parse import parse_acf, parse_idl
from rpcmemkit.idl.preprocess import read_source
from rpcmemkit.idl.report import Report
from rpcmemkit.idl.resolve import Resolver
from rpcmemkit.idl.scope import predefined
from rpcmemkit.idl.source import Source, is_file
from rpcmemkit.idl.switches import Switches
from rpcmemkit.types import Interface, PointerKind, Type


@dataclass(frozen=True, slots=True)
class Compilation:
    """What a text defines. ``interfaces`` are its own, in order; ``types`` and ``constants`` what it can see."""

    interfaces: list[Interface]
    types: Mapping[str, Type]
    constants: Mapping[str, object]
    warnings: list[Diagnostic]

    @property
    def interface(self) -> Interface:
        """The last interface. Raises :class:`~rpcmemkit.errors.UsageError` if the text defines none."""
        if not self.interfaces:
            raise UsageError("the text defines no interface: write interface NAME { … }")
        return self.interfaces[-1]


@dataclass(frozen=True, slots=True)
class Unit:
    """One parsed file."""

    source: Source
    items: list[s.Item]
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(eq=False, slots=True)
class Options:
    """How texts are compiled. Raises :class:`~rpcmemkit.errors.UsageError` for a folder that does not exist."""

    include_dirs: Sequence[Path] = ()
    defines: Mapping[str, str] = field(default_factory=dict)
    switches: Switches = field(default_factory=Switches)

    def __post_init__(self) -> None:
        for folder in self.include_dirs:
            if not Path(folder).is_dir():
                raise UsageError(f"{folder}: there is no such folder to look for imports in")


SYNTAX = "IDL1"  # after these findings there is no tree that could be trusted
_PARSED: dict[tuple[object, ...], Unit] = {}


def parse_text(text: str, file: str, options: Options) -> Unit:
    """Preprocess and parse one text."""
    report = Report()
    source = read_source(text, file, report, include_dirs=options.include_dirs, defines=options.defines)
    items = parse_idl(source, report)
    return Unit(source, items, tuple(report.diagnostics))


def parse_file(path: Path, options: Options) -> Unit:
    """Parse a file, once per process as long as it does not change."""
    stat = path.stat()
    key = (
        path.resolve(),
        stat.st_mtime_ns,
        stat.st_size,
        tuple(options.include_dirs),
        tuple(options.defines.items()),
    )
    if key not in _PARSED:
        text = path.read_text(encoding="utf-8", errors="replace")
        _PARSED[key] = parse_text(text, str(path), options)
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

    def run(self, unit: Unit, acf: Acf) -> Compilation:
        self.report.diagnostics.extend(unit.diagnostics)
        self.report.stop_on_errors(SYNTAX)
        self.resolver.acf = acf
        self.open = [Path(unit.source.file).resolve()]
        place = Place(unit.source, _file_default(unit.items), self.resolver.mode_default)
        self._items(unit.items, place, None, own=True)
        settle_conversions(self.resolver, place)
        acf.report_unused(self.report)
        self.report.stop_on_errors()
        types = self._types()
        for interface in self.interfaces:
            interface.types, interface.constants = types, self.scope.constants
        return Compilation(self.interfaces, types, self.scope.constants, self.report.warnings)

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
            elif isinstance(item, s.InterfaceBody):
                self._interface(item, place, own)
            elif isinstance(item, s.Import):
                self._imports(item, place)
            elif isinstance(item, s.Block) and item.keyword in ("library", "module", "namespace"):
                inner = replace(place, scoped_labels=place.scoped_labels or item.keyword == "namespace")
                self._items(item.items, inner, None, own=own)

    def _announce(self, items: list[s.Item]) -> None:
        """Interfaces may be named before they are declared."""
        for item in items:
            if isinstance(item, (s.Forward, s.InterfaceBody, s.Block)) and item.keyword not in (
                "library",
                "namespace",
            ):
                self.scope.interfaces.setdefault(item.name.rpartition(".")[2], None)

    def _declaration(self, item: s.Declaration, place: Place, builder: InterfaceBuilder | None) -> None:
        if item.typedef:
            self.resolver.typedef(item, place)
        elif item.specifiers.const and any(target.value for target in item.targets):
            self.resolver.define_constant(item, place)
        elif not item.targets:
            self.resolver.tagged(item, place)
        elif builder is not None:
            for declarator in item.targets:
                layers = declarator.target.layers
                if layers and isinstance(layers[0], s.FunctionLayer):
                    builder.procedure(item, declarator.target)

    def _interface(self, item: s.InterfaceBody, place: Place, own: bool) -> None:
        default = pointer_default(item.attributes) or place.default
        inner = replace(place, default=default)
        acf = self.resolver.acf if own else Acf()
        builder = InterfaceBuilder(item, self.resolver, acf, inner, self.checker if own else None)
        self.resolver.defaulted = False
        self._items(item.items, inner, builder, own=own)
        self.scope.interfaces[item.name] = builder.interface
        if own:
            self._warn(item, place, builder.interface)
            self.interfaces.append(builder.interface)

    def _warn(self, item: s.InterfaceBody, place: Place, interface: Interface) -> None:
        """What the interface leaves unsaid."""
        if interface.is_object or not interface.procedures:
            return
        if self.resolver.defaulted:
            self.report.add(
                "IDL358" if self.options.switches.osf else "IDL357", place.source, item.at, len(item.name)
            )
        self._warn_of_switches(item, place)
        if interface.uuid is None:
            self.report.add("IDL213", place.source, item.at, len(item.name))

    def _warn_of_switches(self, item: s.InterfaceBody, place: Place) -> None:
        """Switches that do not go together."""
        switches = self.options.switches
        if switches.effective_mode != switches.mode:
            self.report.add("IDL367", place.source, item.at, len(item.name), mode=switches.mode)
        if switches.maybenull_sizeis and not switches.has("disable_consistency_check"):
            feature = "/backward_compat maybenull_sizeis"
            self.report.add("IDL370", place.source, item.at, len(item.name), feature=feature, level="NT60")

    # --- imports -------------------------------------------------------------------------------

    def _imports(self, item: s.Import, place: Place) -> None:
        for token in item.files:
            name = unquote(token)
            path = self._find(name, place.source)
            at = token.start_pos or 0
            if path is None:
                self.report.add("IDL108", place.source, at, len(token), name=repr(name))
            elif path in self.open:
                chain = " → ".join(each.name for each in [*self.open[self.open.index(path) :], path])
                self.report.add("IDL109", place.source, at, len(token), name=repr(name), chain=chain)
            elif path not in self.done:
                self._import(path, place)

    def _find(self, name: str, source: Source) -> Path | None:
        for folder in (Path(source.file).parent, *self.options.include_dirs):
            if is_file(path := folder / name):
                return path.resolve()
        return None

    def _import(self, path: Path, importer: Place) -> None:
        unit = parse_file(path, self.options)
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


def _file_default(items: list[s.Item]) -> PointerKind | None:
    """The pointer_default of a file: that of its first interface that has one."""
    for item in items:
        if isinstance(item, s.InterfaceBody) and (found := pointer_default(item.attributes)):
            return found
    return None


def compile_unit(unit: Unit, acf: str | None, acf_file: str, options: Options) -> Compilation:
    """Compile a parsed text with its attribute file. Raises :class:`~rpcmemkit.errors.IdlError`."""
    report = Report()
    if acf is None:
        return Compiler(options, report).run(unit, Acf())
    source = read_source(acf, acf_file, report, include_dirs=options.include_dirs, defines=options.defines)
    return Compiler(options, report).run(unit, Acf.of(source, parse_acf(source, report)))
