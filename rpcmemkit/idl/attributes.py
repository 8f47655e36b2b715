"""The attributes there are, a row for each: where it may stand, since when, for whom, and what it does.

MIDL's checks and ours are about single attributes, so all that is special about one is said once, here. The vocabulary
(:func:`check_names`), the placement, the levels of a type and the model read the row. What a row does not say is the
default: MIDL and DCE have the attribute, in the IDL text, anywhere and at every /target; nothing in the type changes;
and the model keeps its value by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from rpcmemkit.idl.findings import Finding


class Row(NamedTuple):
    """What there is to know of an attribute."""

    places: tuple[str, ...] = ()
    """What it applies to: ``interface``, ``procedure``, ``parameter``, ``type``; anything if there is none."""
    acf: bool = False
    """It belongs to the attribute file; in an IDL text it needs /app_config."""
    since: int = 0
    """The first /target that has it: 51 for NT51."""
    too_old: Finding = Finding.TARGET_TOO_OLD
    only: str = ""
    """Who alone has it: ``DCE`` or ``MIDL``, whose /osf refuses it then."""
    excludes: Mapping[str, Finding] = {}
    """What may not stand beside it. The finding is at this one; at the later one if each excludes the other."""
    needs: str = ""
    """What its argument must be."""
    sets: str = ""
    """The flag of a :class:`~rpcmemkit.idl.levels.Level` that it sets, of the outermost one …"""
    every: bool = False
    """… or of every one …"""
    counts: bool = False
    """… or the field that it sets to an expression, of the level that has the position of its argument (size-is.md)."""
    converts: bool = False
    """Programs see another type than the one that is sent."""
    kept: bool = True
    """The model has it by name; if not, the type says it already."""


def _acf(*places: str, **more: object) -> Row:
    """An attribute of the attribute file (acf-attributes.md and the pages it lists)."""
    return Row(places, acf=True, **more)  # type: ignore[arg-type]


def _counted(sets: str, needs: str = "an expression", **excludes: Finding) -> Row:
    return Row(sets=sets, counts=True, kept=False, needs=needs, excludes=excludes)


_ON_CONTEXT = ("parameter", "type", "procedure")
_CLASH = Finding.EXCLUSIVE
_TYPE, _EXPRESSED = Row(needs="a type"), Row(kept=False)
_KIND_NAMES = "one of ref, unique, ptr"

# The words that reserved-keywords.md reserves within brackets, the ones that only have a page of their own, what /winrt
# adds, and what Wine's compiler takes besides: nothing here depends on them.
_PLAIN = """
    aggregatable align annotate annotation appobject async async_uuid bem_handle bindable broadcast bstring callback
    case control cs_drtag cs_rtag cs_stag custom custom_allocator default default_allocator defaultbind defaultcollelem
    defaultvalue defaultvtable displaybind dllname dual endpoint entry extension funcdescattr handle heap helpcontext helpfile
    helpstring helpstringcontext helpstringdll hidden hostContract id idempotent idldescattr immediatebind
    in_line input_sync interpret lcid licensed local local_call long_enum manual maybe message min_is ms_conf_struct ms_union
    nointerpret nonbrowsable noncreatable nonextensible odl off_line oleautomation optional optional_interface out_of_line
    predeclid propget propputref proxy public readonly replaceable requestedit restricted retval sh_composition sh_event sh_file
    sh_job sh_mutex sh_pipe sh_process sh_reg_key sh_section sh_semaphore sh_socket sh_thread sh_token shape short_enum source
    system_handle typedescattr uidefault unaligned usesgetlasterror v1_array v1_enum v1_string v1_struct vararg vardescattr
    winrt_remote_async zeroout_alignmentgap
    activatable allowforweb apicontract attributeusage composable constructor_name contract contractversion
    default_interface default_overload deprecated eventadd eventremove exclusiveto experimental feature flags
    hasvariant internal marshaling_behavior method_name muse noexcept overload platform protected static threading
    webhosthidden progid vi_progid
"""
_ONLY_DCE = "binding_callout client_memory exceptions extern_exceptions nocancel reflect_deletions"

ATTRIBUTES: dict[str, Row] = {
    **dict.fromkeys(_PLAIN.split(), Row()),
    **dict.fromkeys(_ONLY_DCE.split(), Row(only="DCE")),
    # --- what the type says
    "in": _EXPRESSED,
    "out": _EXPRESSED,
    "ref": _EXPRESSED,
    "unique": _EXPRESSED,
    # No page says since when [ptr] follows aliases: MIDL2216 calls it a matter of the version, and full pointers came
    # with MIDL 2.0, NT35.
    "ptr": Row(since=35, too_old=Finding.PTR_TOO_NEW, kept=False),
    "size_is": _counted("size", max_is=Finding.SIZE_AND_MAX),
    "max_is": _counted("size", size_is=Finding.SIZE_AND_MAX),
    "length_is": _counted("length", last_is=Finding.LENGTH_AND_LAST, string=Finding.STRING_AND_LENGTH),
    "last_is": _counted("length", length_is=Finding.LENGTH_AND_LAST, string=Finding.STRING_AND_LENGTH),
    "first_is": _counted("first", string=Finding.STRING_AND_LENGTH),
    "string": _EXPRESSED,
    "range": Row(only="MIDL", needs="two numbers", kept=False),
    "switch_is": _EXPRESSED,
    "switch_type": _TYPE,
    "iid_is": Row(needs="the name of an interface id"),
    "context_handle": _EXPRESSED,
    "ignore": Row(sets="ignore", kept=False),
    "partial_ignore": Row(only="MIDL", since=51, sets="partial_ignore", kept=False),
    "disable_consistency_check": Row(since=60, sets="unchecked"),
    "force_allocate": _acf("parameter", "type", since=51, sets="force_allocate", every=True),
    "allocate": _acf("type"),
    "byte_count": _acf("parameter"),
    # --- two types for one thing
    "transmit_as": _TYPE._replace(converts=True),
    "wire_marshal": _TYPE._replace(converts=True, only="MIDL"),
    "represent_as": _acf("type", converts=True),
    "user_marshal": _acf("type", converts=True, only="MIDL"),
    "cs_char": _acf("type"),
    # --- procedures and interfaces
    "uuid": _EXPRESSED,
    "version": _EXPRESSED,
    "object": _EXPRESSED,
    "pointer_default": Row(needs=_KIND_NAMES),
    "call_as": Row(only="MIDL"),
    "propput": Row(excludes={"propget": _CLASH}),
    "implicit_handle": _acf("interface", excludes={"auto_handle": _CLASH}),
    "explicit_handle": _acf("procedure", "interface", excludes={"auto_handle": _CLASH}),
    "auto_handle": _acf("interface"),
    "code": _acf("procedure", "interface"),
    "nocode": _acf("procedure", "interface", excludes={"code": _CLASH}),
    "optimize": _acf("procedure", "interface"),
    "encode": _acf("procedure", "interface", "type"),
    "decode": _acf("procedure", "interface", "type"),
    "enable_allocate": _acf("procedure", "interface"),
    "notify": _acf("procedure", since=50),
    "notify_flag": _acf("procedure", since=50),
    "cs_tag_rtn": _acf("procedure", "interface"),
    "comm_status": _acf("parameter", "procedure"),
    "fault_status": _acf("parameter", "procedure"),
    "strict_context_handle": _acf("interface"),
    "type_strict_context_handle": _acf("interface", since=60),
    "context_handle_serialize": _acf(*_ON_CONTEXT),
    "context_handle_noserialize": _acf(*_ON_CONTEXT),
}
_UNKNOWN = Row()


def row(name: str) -> Row:
    """Return what is known of an attribute; of the Windows Runtime's own ones, with full names, that is nothing."""
    return ATTRIBUTES.get(name, _UNKNOWN)
