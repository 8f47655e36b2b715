"""Words of the neighbours of MIDL's language: a text that uses them is not wrong, it is written for another compiler."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PIDL = """
    bitmap bitmap8 bitmap16 bitmap32 bitmap64 charset compression flag gensize helper max_length nodiscriminant noejs nolayout
    noprint nopull nopush nopython nosize print pullflags relative relative_base relative_short sequential subcontext
    subcontext_size to_null todo value represent_as_utf16 skip skip_noinit
    astring ascstr dlong dns_name dns_string dom_sid int8 int16 int32 int64 ipv4address ipv6address libndr_flags mode_t
    nbt_string NTTIME NTTIME_1sec NTTIME_hyper nstring policy_handle string_array time_t udlong udlongr uid_t gid_t uint1632
    uint3264 uint8 uint16 uint32 uint64 unistr unistr_noterm utf8string utf16string WERROR NTSTATUS DATA_BLOB
"""
_MIDL_3 = """
    Boolean Char16 Double Guid Int16 Int32 Int64 Object Single String UInt8 UInt16 UInt32 UInt64
    runtimeclass unsealed overridable event static_name constructor attributeusage contractversion default_interface
"""
_DCE = (
    "ISO_LATIN_1 ISO_MULTI_LINGUAL ISO_UCS unsigned8 unsigned16 unsigned32 unsigned64 ndr_boolean idl_boolean"
)
_DIALECTS: Mapping[str, str] = {
    **dict.fromkeys(_DCE.split(), "DCE's IDL"),
    **dict.fromkeys(_MIDL_3.split(), "MIDL 3"),
    **dict.fromkeys(_PIDL.split(), "Samba's pidl"),
}
_DECLARATION = re.compile(r"[A-Za-z_]\w*")


def dialect_hint(word: str) -> str:
    """Return what to say of a word that MIDL does not know but a neighbour does; empty for any other."""
    found = _DIALECTS.get(word)
    return f"{word!r} is a word of {found}, another dialect: write what MIDL calls it" if found else ""


def dialect_of_syntax(text: str, start: int, end: int) -> str:
    """Return what to say of a declaration that is no MIDL, if its words or the text around it are of a neighbour."""
    for word in _DECLARATION.findall(text[start:end]):
        if word in _DIALECTS:
            return f"{word!r} is a word of {_DIALECTS[word]}, another dialect, which is not read here"
    if re.search(r"\bruntimeclass\b|\bnamespace\b", text[:end]):
        return "classes and properties in a namespace are MIDL 3, another dialect, which is not read here"
    return ""
