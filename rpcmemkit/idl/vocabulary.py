"""The attributes there are: a misspelt one would quietly leave the default in force, so it is an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lark import Token

from rpcmemkit import given
from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.dialects import dialect_hint
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.report import Report
from rpcmemkit.idl.source import Source

# The words that reserved-keywords.md reserves within brackets, and the ones that only have a page of their own.
_MIDL = """
    aggregatable align allocate annotate annotation appobject async async_uuid auto_handle bem_handle bindable
    broadcast bstring byte_count call_as callback case code comm_status context_handle context_handle_noserialize
    context_handle_serialize control cs_char cs_drtag cs_rtag cs_stag cs_tag_rtn custom custom_allocator decode
    default default_allocator defaultbind defaultcollelem defaultvalue defaultvtable disable_consistency_check
    displaybind dllname dual enable_allocate encode endpoint entry explicit_handle extension fault_status first_is
    force_allocate funcdescattr handle heap helpcontext helpfile helpstring helpstringcontext helpstringdll hidden
    hostContract id idempotent idldescattr ignore iid_is immediatebind implicit_handle in in_line input_sync
    interpret last_is lcid length_is licensed local local_call long_enum manual max_is maybe message min_is
    ms_conf_struct ms_union nocode nointerpret nonbrowsable noncreatable nonextensible notify notify_flag object odl
    off_line oleautomation optimize optional optional_interface out out_of_line partial_ignore pointer_default
    predeclid propget propput propputref proxy ptr public range readonly ref replaceable represent_as requestedit
    restricted retval sh_composition sh_event sh_file sh_job sh_mutex sh_pipe sh_process sh_reg_key sh_section
    sh_semaphore sh_socket sh_thread sh_token shape short_enum size_is source strict_context_handle string switch_is
    switch_type system_handle transmit_as type_strict_context_handle typedescattr uidefault unaligned unique
    user_marshal usesgetlasterror uuid v1_array v1_enum v1_string v1_struct vararg vardescattr version
    winrt_remote_async wire_marshal zeroout_alignmentgap
"""
# What /winrt adds, and what Wine's compiler takes besides.
_OTHERS = """
    activatable allowforweb apicontract attributeusage composable constructor_name contract contractversion
    default_interface default_overload deprecated eventadd eventremove exclusiveto experimental feature flags
    hasvariant internal marshaling_behavior method_name muse noexcept overload platform protected static threading
    webhosthidden progid vi_progid
"""
# What only DCE's compiler has.
_DCE = frozenset(
    ["binding_callout", "client_memory", "exceptions", "extern_exceptions", "nocancel", "reflect_deletions"]
)
ATTRIBUTES = frozenset((_MIDL + _OTHERS).split()) | _DCE


def check_names(tree: Any, source: Source, report: Report, *, osf: bool) -> None:
    """Report every attribute in a syntax tree that does not exist, or only in the other mode (``osf``: DCE's)."""
    for attribute in _attributes(tree):
        name = attribute.name
        custom = "." in name  # an attribute type of the Windows Runtime, by its full name
        if name not in ATTRIBUTES and not custom:
            report.add(
                Finding.UNKNOWN_ATTRIBUTE, source, attribute.at, len(name), attribute=name, hint=_hint(name)
            )
        elif name in _DCE and not osf:
            report.add(Finding.ONLY_DCE, source, attribute.at, len(name), attribute=name)


def _hint(name: str) -> str:
    if told := dialect_hint(name):
        return told
    return given.hint(name.lower(), ATTRIBUTES, "take it out: MIDL has no such attribute", "[{}]")


def _attributes(tree: Any) -> Iterator[s.Attribute]:
    """Yield every attribute in a tree, in the order of the text; nothing recurses."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, s.Attribute):
            yield node
        elif isinstance(node, (list, tuple)):
            waiting.extend(reversed(node))
        elif not isinstance(node, Token):
            parts = getattr(node, "__dataclass_fields__", {})
            waiting.extend(getattr(node, name) for name in reversed(parts))
