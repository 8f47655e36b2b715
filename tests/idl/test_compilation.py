"""Files: imports, the attribute file beside, the cache, defaults across files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rpcmemkit.errors import IdlError, UsageError
from rpcmemkit.idl import Switches, compilation, compile_file, compile_idl
from tests.idl.helpers import show

UUID = "uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)"


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / name.replace("_", ".")).write_text(text)


def test_imports(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_idl=f'import "b.idl", "c.idl"; [{UUID}] interface a : b {{ import "c.idl"; void g([in] PT p); }}',
        b_idl='import "c.idl"; [object, pointer_default(ptr)] interface b { typedef T *PT; void f([out] PT *p); }',
        c_idl="typedef long T;",
    )
    result = compile_file(tmp_path / "a.idl")
    assert [one.name for one in result.interfaces] == ["a"]
    assert list(result.interface.procedures) == ["f", "g"]
    assert show(result.interface.procedures["f"].parameters[0].type) == "ref -> ptr -> long"


@pytest.mark.parametrize(
    ("imported", "importer", "osf", "expected"),
    [
        ("ptr", "unique", False, "ptr"),  # M-279
        (None, "ptr", False, "ptr"),  # M-280
        (None, "ptr", True, "ptr"),
        (None, "unique", True, "ptr"),  # M-282
        (None, None, False, "unique"),  # M-281
    ],
)
def test_pointer_default_across_files(
    tmp_path: Path, imported: str | None, importer: str | None, osf: bool, expected: str
) -> None:
    def default(kind: str | None) -> str:
        return f", pointer_default({kind})" if kind else ""

    write(
        tmp_path,
        a_idl=f'import "b.idl"; [{UUID}{default(importer)}] interface a {{ void f([in] S *s); }}',
        b_idl=f"[{UUID}{default(imported)}] interface b {{ typedef struct {{ long *p; }} S; }}",
    )
    struct = compile_file(tmp_path / "a.idl", switches=Switches(osf=osf)).types["S"]
    assert show(struct.members[0].type) == f"{expected} -> long"  # type: ignore[union-attr]


def test_the_attribute_file_beside(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_idl=f"[{UUID}] interface a {{ void f([out] long *p, [in] long n); }}",
        a_acf="interface a { f([byte_count(n)] p); }",
        b_acf="interface a { [nocode] f(); }",
    )
    assert compile_file(tmp_path / "a.idl").interface.procedures["f"].parameters[0].attributes == {
        "byte_count": "n"
    }
    assert compile_file(tmp_path / "a.idl", tmp_path / "b.acf").interface.procedures["f"].attributes == {
        "nocode": True
    }


def test_mistakes_in_imported_files_are_found_there(tmp_path: Path) -> None:
    write(tmp_path, a_idl='import "b.idl"; import "b.idl";', b_idl="typedef long long x y;\ntypedef Q T;")
    with pytest.raises(IdlError) as caught:
        compile_file(tmp_path / "a.idl")
    assert [(Path(one.file).name, one.line) for one in caught.value.diagnostics] == [("b.idl", 1)]


def test_files_are_parsed_once(tmp_path: Path) -> None:
    write(tmp_path, a_idl='import "b.idl";', b_idl="typedef long T;")
    compile_file(tmp_path / "a.idl")
    known = len(compilation._PARSED)
    compile_file(tmp_path / "a.idl")
    assert len(compilation._PARSED) == known
    write(tmp_path, b_idl="typedef long LONGER;")
    assert "LONGER" in compile_file(tmp_path / "a.idl").types
    assert len(compilation._PARSED) == known + 1


def test_a_text_without_interfaces() -> None:
    result = compile_idl("typedef long T;")
    assert result.interfaces == []
    with pytest.raises(UsageError, match="defines no interface"):
        _ = result.interface


def test_warnings_are_kept() -> None:
    result = compile_idl("interface i { typedef struct { long *p; } S; void f([in] S *s); }")
    assert {one.code for one in result.warnings} == {"IDL357", "IDL213"}


def test_importing_the_package_does_not_import_the_parser() -> None:
    program = "import sys, rpcmemkit.idl; sys.exit('lark' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], check=False, cwd=Path(__file__).parents[2]).returncode
        == 0
    )


# --- names that are no files ----------------------------------------------------------------------


@pytest.mark.parametrize("name", [".", "..", "/", "", "x" * 5000])
def test_a_path_that_is_no_file(name: str) -> None:
    with pytest.raises(OSError, match=r"Is a directory|File name too long"):
        compile_file(name)


@pytest.mark.parametrize("name", ["a\0b", 5, None])
def test_what_is_no_path(name: Any) -> None:
    with pytest.raises(UsageError, match="is not the path of a file"):
        compile_file(name)


@pytest.mark.parametrize("line", ['import "{}";', '#include "{}"'])
@pytest.mark.parametrize("name", ["", ".", "x" * 5000])
def test_a_name_in_a_text_that_no_file_can_have(line: str, name: str) -> None:
    with pytest.raises(IdlError) as caught:
        compile_idl(line.format(name) + "\n")
    assert caught.value.diagnostics[0].code in ("IDL107", "IDL108")


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        Switches(include_dirs=[tmp_path / "no"])


@pytest.mark.parametrize("wrong", [{"target": 5}, {"target": None}, {"target": "NT6"}, {"mode": 5}])
def test_switches_that_do_not_exist(wrong: Any) -> None:
    with pytest.raises(UsageError, match="is not a"):
        Switches(**wrong)


@pytest.mark.parametrize("how", ['import "Types.idl";', '#include "TYPES.IDL"\n', "#include <Types.idl>\n"])
def test_a_name_in_another_case_is_found_as_on_windows(tmp_path: Path, how: str) -> None:
    write(tmp_path, a_idl=f"{how} [{UUID}] interface a {{ void f([in] T t); }}", types_idl="typedef long T;")
    result = compile_file(tmp_path / "a.idl", switches=Switches(include_dirs=[tmp_path]))
    (found,) = result.warnings
    assert (found.code, found.severity) == ("IDL117", "warning")
    assert "'types.idl'" in found.message


def test_the_exact_name_goes_first(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_idl=f'import "types.idl"; [{UUID}] interface a {{ void f([in] T t); }}',
        types_idl="typedef long T;",
    )
    (tmp_path / "TYPES.idl").write_text("typedef short T;")
    result = compile_file(tmp_path / "a.idl")
    assert not result.warnings
    assert show(result.interface.procedures["f"].parameters[0].type) == "long"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named_as_such(tmp_path: Path, encoding: str) -> None:
    text = f"[{UUID}] interface a {{ void f([in] long n); }}"
    (tmp_path / "a.idl").write_bytes(text.encode(encoding))
    with pytest.raises(UsageError, match="UTF-16 text; save it as UTF-8"):
        compile_file(tmp_path / "a.idl")
    for way in ('import "a.idl";', '#include "a.idl"\n'):
        (tmp_path / "b.idl").write_text(way)
        with pytest.raises(IdlError) as caught:
            compile_file(tmp_path / "b.idl")
        assert [one.code for one in caught.value.diagnostics] == ["IDL115"]
        assert "UTF-16" in caught.value.diagnostics[0].message


def test_the_mark_of_utf_8_is_no_text(tmp_path: Path) -> None:
    text = f"[{UUID}] interface a {{ void f([in] T n); }}"
    (tmp_path / "t.idl").write_text("typedef long T;", encoding="utf-8-sig")
    for way in ('import "t.idl";', '#include "t.idl"\n'):
        (tmp_path / "a.idl").write_text(f"{way} {text}", encoding="utf-8-sig")
        (tmp_path / "a.acf").write_text("interface a { }", encoding="utf-8-sig")
        assert list(compile_file(tmp_path / "a.idl").interface.procedures) == ["f"]
