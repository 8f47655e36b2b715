"""Files with several interfaces, the attribute file that is read, and options that cannot apply."""

import json
import re
from pathlib import Path

import pytest

from rpcmemkit import Session, UsageError, compile_file
from rpcmemkit.cli import main

FAULTS = Path(__file__).parents[1] / "faults"
TWO = FAULTS / "idl" / "a14-two-interfaces.idl"
THREE = FAULTS / "idl" / "three-interfaces.idl"
SCENARIO = FAULTS / "calls" / "a12-check-of-a-scenario.yaml"
GOOD = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i { void Take([in] handle_t h, [in] long a); }"


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments):
        code = main([str(each) for each in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


# --- several interfaces -----------------------------------------------------------------------


def test_every_interface_is_explained_and_planned(run):
    out = run("explain", THREE)[1]
    assert [name for name in ("long A(", "long B(", "long C(") if name in out] == [
        "long A(",
        "long B(",
        "long C(",
    ]
    assert "Interface second\n================" in out
    plan = run("explain", THREE, "--free-plan")[1]
    assert [f"free_after_{name}(" in plan for name in "ABC"] == [True] * 3
    data = json.loads(run("explain", THREE, "--json")[1])
    assert data["interfaces"] == ["first", "second", "third"]
    assert [(each["interface"], each["procedure"]) for each in data["procedures"]] == [
        ("first", "A"),
        ("second", "B"),
        ("third", "C"),
    ]


def test_every_interface_is_named_by_check(run):
    assert "Interfaces: first, second, third\n" in run("check", THREE)[1]
    assert json.loads(run("check", THREE, "--format", "json")[1])["interfaces"] == [
        "first",
        "second",
        "third",
    ]


def test_one_interface_is_chosen(run):
    data = json.loads(run("explain", THREE, "--json", "--interface", "second")[1])
    assert (data["interface"], [each["procedure"] for each in data["procedures"]]) == ("second", ["B"])
    assert "void A(" in run("explain", TWO, "--procedure", "A")[1]
    why = "rpcmemkit: the text defines no interface secnd; did you mean second?\n"
    assert run("explain", THREE, "--interface", "secnd") == (2, "", why)
    why = "rpcmemkit: interfaces first and second have no procedure X; there are: A, B\n"
    assert run("explain", TWO, "--procedure", "X") == (2, "", why)


def test_what_is_inherited_is_told_once(run, tmp_path):
    file = tmp_path / "com.idl"
    file.write_text(
        "[object, uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface Base { long Get([out] long *n); }\n"
        "[object, uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1803)] interface More : Base { long Set([in] long n); }\n"
    )
    data = json.loads(run("explain", file, "--json")[1])
    assert [(each["interface"], each["procedure"]) for each in data["procedures"]] == [
        ("Base", "Get"),
        ("More", "Set"),
    ]
    alone = json.loads(run("explain", file, "--json", "--interface", "More")[1])
    assert [each["procedure"] for each in alone["procedures"]] == ["Get", "Set"]


def test_a_session_is_for_one_interface():
    text = TWO.read_text()
    session = Session(text, interface="first")
    assert session.call("A", x=5).values["x"] == 5
    assert Session(text).interface.name == "second"
    with pytest.raises(UsageError, match="no interface thrd; there are: first, second"):
        Session(text, interface="thrd")
    with pytest.raises(UsageError, match=r"no procedure A; interface first has.*interface='first'"):
        Session(text).call("A", x=5)


# --- the attribute file -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hello.acf", "Hello.Acf", "HELLO.ACF"])
def test_the_attribute_file_is_found_whatever_the_case_of_its_name(run, tmp_path, name):
    idl, acf = tmp_path / "hello.idl", tmp_path / name
    idl.write_text(GOOD)
    acf.write_text("interface i { [nonsense] Take(); }")

    code, out, _ = run("check", idl)
    assert code == 1
    assert f"{acf}:1:" in out
    assert f"Attribute file: {acf}\n" in out
    acf.write_text("interface i { [enable_allocate] Take(); }")
    assert f"Attribute file: {acf}\n" in run("check", idl)[1]
    assert json.loads(run("check", idl, "--format", "json")[1])["acf"] == str(acf)
    assert run("explain", idl)[1].startswith(f"Attribute file: {acf}\n")
    assert json.loads(run("explain", idl, "--json")[1])["acf"] == str(acf)
    assert compile_file(idl).acf_file == str(acf)


def test_the_exact_name_goes_first(tmp_path):
    for name in ("a.idl", "A.acf", "a.acf", "a.ACF"):
        (tmp_path / name).write_text(GOOD if name == "a.idl" else "interface i { }")
    assert compile_file(tmp_path / "a.idl").acf_file == str(tmp_path / "a.acf")


def test_no_attribute_file_is_told_as_well(run, tmp_path):
    (tmp_path / "a.idl").write_text(GOOD)
    assert "Attribute file: none\n" in run("check", tmp_path / "a.idl")[1]
    assert "Attribute file: none\n" in run("explain", tmp_path / "a.idl")[1]
    assert json.loads(run("explain", tmp_path / "a.idl", "--json")[1])["acf"] is None


# --- a scenario -------------------------------------------------------------------------------


def test_check_of_a_scenario(run, tmp_path):
    code, out, _ = run("check", SCENARIO)
    assert (code, out) == (0, "Interface: one\nAttribute file: none\nAll checks passed.\n")

    text = SCENARIO.read_text()
    for old, new, found in [
        ("[in] long x", "[in] lung x", ": error IDL201"),
        ("steps:", "stpes:", "did you mean `steps`?"),
        ("call: P", "call: Q", ": error scenario: interface one has no procedure Q"),
        ("{x: 1}", "{y: 1}", "P has no parameter 'y'"),
    ]:
        file = tmp_path / "wrong.yaml"
        file.write_text(text.replace(old, new))
        code, out, err = run("check", file)
        assert (code, err) == (1, "")
        assert f"{file}:" in out
        assert found in out
        assert out.endswith("1 error, 0 warnings\n")
        findings = json.loads(run("check", file, "--format", "json")[1])["findings"]
        assert [each["file"] for each in findings] == [str(file)]


def test_check_of_a_file_without_an_interface(run, tmp_path):
    file = tmp_path / "types.idl"
    file.write_text("typedef long a; typedef struct { a x; } b;")
    assert run("check", file)[1] == "No interface: 2 types.\nAttribute file: none\nAll checks passed.\n"

    for text in ("", "\n/* nothing yet */\n"):
        file.write_text(text)
        code, out, _ = run("check", file)
        assert (code, out.splitlines()[-1]) == (0, "0 errors, 1 warning")
        assert f"{file}:1:1: warning" in out
        assert "the text defines no interface" in out
        assert "types.idl(1) : warning" in run("check", file, "--format", "msvc")[1]
        assert len(json.loads(run("check", file, "--format", "json")[1])["findings"]) == 1
    file.write_text("const long MOST = 3;")
    assert run("check", file)[1].endswith("All checks passed.\n")


def test_check_says_that_calls_met_faults(run, tmp_path):
    file = tmp_path / "s.yaml"
    step = "  - {call: P, arguments: {x: 1}, server: [{raise: 5}]}\n"
    head = f"scenario: s\nidl: |\n  {GOOD.replace('Take([in] handle_t h, [in] long a)', 'P([in] long x)')}\nsteps:\n"
    for count, told in ((1, "1 call met a fault"), (2, "2 calls met faults")):
        file.write_text(head + step * count)
        code, out, _ = run("check", file)
        assert (code, out.splitlines()[-1]) == (0, f"No errors in the interface; {told} (see run).")


def test_check_reads_a_scenario_from_standard_input(run, monkeypatch):
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SCENARIO.read_bytes())))
    assert run("check", "-")[0] == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SCENARIO.read_bytes())))
    assert "void P([in] long x)" in run("explain", "-")[1]


# --- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "explain"])
@pytest.mark.parametrize("file", [SCENARIO, TWO])
@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--target", "nonsense"], "not a /target level"),
        (["--mode", "Ox"], "invalid choice: 'Ox'"),
        (["-I", "/no/such/folder"], "no such folder"),
        (["--syntax", "ndr20", "--ndr64"], "not allowed with"),
        (["--acf", "/nonexistent"], "/nonexistent: No such file or directory"),
    ],
)
def test_an_option_is_never_without_effect(capsys, command, file, options, why):
    try:
        code = main([command, str(file), *options])
    except SystemExit as left:
        code = left.code
    captured = capsys.readouterr()
    if file == SCENARIO and options[0] == "--acf":
        why = "--acf cannot be used with a scenario"
    assert (code, captured.out) == (2, "")
    assert why in captured.err


@pytest.mark.parametrize("file", [SCENARIO, TWO])
def test_every_switch_reaches_the_environment(run, file, tmp_path):
    options = ["--target", "NT50", "--mode", "Oif", "--no-robust", "--osf", "--rpcss", "--no-app-config"]
    options += ["--pointer-size", 4, "--ndr64", "-I", tmp_path, "--include-anywhere"]
    environment = json.loads(run("explain", file, "--json", *options)[1])["procedures"][0]["environment"]
    assert environment["client_pointer_size"] == environment["server_pointer_size"] == 4
    assert (environment["transfer_syntax"], environment["osf"]) == ("ndr64", True)
    midl = environment["midl"]
    assert (midl["target"], midl["mode"], midl["robust"], midl["rpcss"]) == ("NT50", "Oif", False, True)
    assert (midl["app_config"], midl["include_dirs"], midl["include_anywhere"]) == (
        False,
        [str(tmp_path)],
        True,
    )


def test_options_stand_above_the_environment_of_a_scenario(run, tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text(SCENARIO.read_text() + "environment: {client_pointer_size: 4, osf: true}\n")
    own = json.loads(run("explain", file, "--json")[1])["procedures"][0]["environment"]
    assert (own["client_pointer_size"], own["server_pointer_size"], own["osf"]) == (4, 8, True)
    asked = json.loads(run("explain", file, "--json", "--pointer-size", 8)[1])["procedures"][0]["environment"]
    assert (asked["client_pointer_size"], asked["server_pointer_size"], asked["osf"]) == (8, 8, True)


@pytest.mark.parametrize(
    ("command", "file", "why"),
    [
        ("run", TWO, "this is an interface, not a scenario"),
        ("check", "x.acf", "this is an attribute file"),
        ("explain", "x.acf", "this is an attribute file"),
    ],
)
def test_the_wrong_kind_of_file(run, command, file, why):
    code, out, err = run(command, file)
    assert (code, out) == (2, "")
    assert why in err


@pytest.mark.parametrize("command", ["run", "verify", "check", "explain"])
def test_folders_of_imports_for_a_scenario(run, tmp_path, command):
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "base.idl").write_text("typedef long NUMBER;")
    file = tmp_path / "s.yaml"
    file.write_text(SCENARIO.read_text().replace("  [ uuid", '  import "base.idl";\n  [ uuid'))

    assert run(command, file)[0] != 0
    assert run(command, file, "-I", tmp_path / "inc")[0] == 0


def test_the_free_plans_of_several_interfaces_are_one_text_that_compiles(run, tmp_path):
    node = "typedef struct n { struct n *next; long v; } n;"
    file = tmp_path / "same.idl"
    file.write_text(
        f"[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface a {{ {node} n *Get(void); void Cut([in, out] n *p); }}\n"
        "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1803), pointer_default(unique)] interface b { n *Get([in] long x); void Cut([in, out] n *q); }\n"
    )
    out = run("explain", file, "--free-plan")[1]
    assert [out.count(f"void free_after_{name}(n *result)") for name in ("a_Get", "b_Get", "Get")] == [
        1,
        1,
        0,
    ]
    assert out.count("static void free_n(struct n *it)\n{") == 1
    functions = re.findall(r"^(?:static )?void (\w+)\(.*\)$", out, re.MULTILINE)
    assert {"free_after_a_Cut", "note_before_a_Cut", "note_before_b_Cut"} <= set(functions)
    assert len(functions) == len(set(functions))

    com = "[object, uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1804), pointer_default(unique)] interface c { long Give([out] n **p); }"
    file.write_text(file.read_text() + com)
    first, second = run("explain", file, "--free-plan")[1].split(
        "/* A file of its own: what is freed with CoTaskMemFree. */"
    )
    assert "midl_user_free(" in first
    assert "CoTaskMemFree(" not in first
    assert "CoTaskMemFree(" in second
    assert "midl_user_free(" not in second


def test_names_of_an_attribute_file_that_are_not_there(run, tmp_path):
    node = "typedef struct node { struct node *next; } node; typedef node *P; void Find([in] P root);"
    file = tmp_path / "x.idl"
    file.write_text(
        f"[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface i {{ {node} }}"
    )
    for name in ("x.Acf", "X.ACF"):
        (tmp_path / name).write_text("interface i { typedef [allocate(all_nodes)] node; [nocode] Fnd(); }")
    out = run("check", file)[1]
    assert "put it on a pointer type; there are: P" in out
    assert "did you mean Find?" in out
    if len(list(tmp_path.iterdir())) > 2:  # upper and lower case make a difference here
        assert "X.ACF (x.Acf is there too, and not read)" in out


def test_a_semicolon_that_is_missing(run, tmp_path):
    file = tmp_path / "x.idl"
    for text in ("void F(void)\nvoid G(void);", "typedef struct { long x } t;"):
        file.write_text(f"interface i {{ {text} }}")
        assert "a ; is missing before it" in run("check", file)[1]
