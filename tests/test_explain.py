"""The command `explain`, its tables and its JSON."""

import json
import re
from pathlib import Path

import pytest

from rpcmemkit import RULES, Environment, Session
from rpcmemkit.cli import main
from rpcmemkit.contract import as_data, as_text, contract, sheets
from rpcmemkit.notebook import contract_table
from tests.engine.constructs import CONSTRUCTS
from tests.engine.helpers import TREE, first, idl_text, open_session

PRUNE = TREE + "void Prune([in, out] node *root, [in] long depth); node *Find([in, ptr] node *where);"


@pytest.fixture
def idl(tmp_path):
    file = tmp_path / "trees.idl"
    file.write_text(idl_text(PRUNE), encoding="utf-8")
    return file


@pytest.fixture
def explain(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")

    def run(*arguments):
        code = main(["explain", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_tables_for_a_terminal(explain, idl):
    code, out, err = explain(idl, "--procedure", "Prune")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 100
    assert "On the client" in out
    assert "On the server" in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("root->left ")] == [
        "unique",
        "allocated",
    ]
    assert "What lies below root->left is told at root" in out
    assert "No pointers: depth." in out
    assert "Find" not in out


def test_every_number_in_a_cell_leads_to_a_rule(explain, idl):
    _, out, _ = explain(idl, "--procedure", "Prune")
    tables, legend = out.split("\n\n[1]")
    import re

    numbers = {int(number) for number in re.findall(r"\[(\d+)\]", tables)}
    assert numbers == set(range(1, len(numbers) + 1))
    assert f"[{len(numbers)}]" in legend
    assert f"[{len(numbers) + 1}]" not in legend


def test_json(explain, idl):
    code, out, _ = explain(idl, "--json")
    data = json.loads(out)
    assert code == 0
    assert data["interface"] == "i"
    prune, find = data["procedures"]
    assert [p["path"] for p in prune["pointers"]] == ["root", "root.left", "root.right"]
    left = prune["pointers"][1]
    assert left["continued_at"] == "root"
    assert left["server"]["entry"] == {
        "outcomes": ["allocated", "null"],
        "rules": ["server-allocates-widened-pointer", "may-be-null"],
    }
    assert {"by": "stub", "using": "midl_user_allocate", "rule": "client-null-to-new"} in left["client"][
        "allocates"
    ]
    assert set(left["rules"]) <= set(prune["rules"])
    assert "free_after_Find(node *result)" in find["free_plan"]
    assert set(left) == {
        "path",
        "class",
        "level",
        "direction",
        "type",
        "note",
        "continued_at",
        "block",
        "client",
        "server",
        "rules",
    }


def test_the_environment_changes_the_answer(explain, idl):
    def entry(*options):
        _, out, _ = explain(idl, "--json", "--procedure", "Prune", *options)
        return json.loads(out)["procedures"][0]["pointers"][0]["server"]["entry"]["outcomes"]

    assert entry() == ["allocated"]
    assert entry("--pointer-size", 4) == ["buffer"]
    assert entry("--syntax", "ndr64") == ["buffer"]
    assert entry("--ndr64") == ["buffer"]
    assert entry("--pointer-size", 4, "--osf") == ["allocated"]


def test_free_plan(explain, idl):
    code, out, _ = explain(idl, "--free-plan")
    assert code == 0
    assert out.count("static void free_new_node(noted_blocks *all, struct node *it)\n{") == 1, (
        "each helper once"
    )
    assert "void free_after_Prune(noted_blocks *yours, node *root)" in out


def test_rules_are_told_once(explain, idl):
    """Both procedures together: one legend, each rule in it once, and its number means the same in both."""
    import re

    _, out, _ = explain(idl)
    tables, legend = out.split("\n\n[1] ")
    numbers = re.findall(r"^\[(\d+)\]", "[1] " + legend, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert {int(n) for n in re.findall(r"\[(\d+)\]", tables)} == set(range(1, len(numbers) + 1))
    assert out.count("client-owns:") == 1


def test_remarks(tmp_path):
    body = TREE + "typedef [allocate(all_nodes)] node *tree;\n"
    body += "void f([out] tree *made); tree g(void); void h([in, out] tree root); void k([out] long **n);"
    session = open_session(body, acf="[enable_allocate] f();")
    texts = {name: as_text(contract(session.interface, name), 300) for name in "fghk"}
    assert [name for name in "fghk" if "RpcSmClientFree frees what comes from either." in texts[name]] == [
        "f"
    ]

    def freed(name, path):
        rows = sheets(contract(session.interface, name)).sides[0].rows
        return next(row[5] for row in rows if row[0] == path)

    assert freed("f", "*made") == "program [1]"
    assert freed("f", "(*made)->left") == "program [1]; with *made"
    assert freed("g", "return->left") == "with return"
    assert freed("h", "root->left") == "program [1], one block for all below root"


def test_what_the_kit_cannot_marshal_is_named_and_the_rest_is_told(explain, tmp_path):
    from tests.test_contract import COM

    file = tmp_path / "com.idl"
    file.write_text(COM, encoding="utf-8")
    why = "Make: interface type IUnknown cannot be marshalled by this kit"
    code, out, err = explain(file)
    assert (code, err) == (0, "")
    assert "long Get([out] long **p)" in out
    assert f"\nNot explained: {why}\n" in out
    data = json.loads(explain(file, "--json")[1])
    assert [each["procedure"] for each in data["procedures"]] == ["A", "Get"]
    assert data["not_explained"] == {"Make": why}
    assert explain(file, "--free-plan")[1].endswith(f"/* {why} */\n")
    assert explain(file, "--procedure", "Make") == (2, "", f"rpcmemkit: {why}\n")


def test_a_scenario_brings_its_interface_and_environment(explain):
    code, out, _ = explain("tests/conformance/dcerpc/pp-cleared.yaml")
    assert code == 0
    assert "DCE" in out
    assert "RpcSsAllocate" in out


def test_what_cannot_be_explained(explain, idl, tmp_path):
    code, _, err = explain(idl, "--procedure", "Fnd")
    assert code == 2
    assert err == "rpcmemkit: interface i has no procedure Fnd; did you mean Find?\n"
    broken = tmp_path / "broken.idl"
    broken.write_text("interface {", encoding="utf-8")
    assert explain(broken)[0] == 2


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_every_construct_has_text_data_and_a_table(name):
    session = open_session(CONSTRUCTS[name].body)
    found = contract(session.interface, first(session))
    assert len(sheets(found).rules) == len(found.rules)
    assert set(found.rules) <= set(RULES)
    text = as_text(found, 80)
    assert all(promise.name in text.replace("\n", "") or len(promise.name) > 10 for promise in found.promises)
    data = as_data(found)
    assert json.loads(json.dumps(data)) == data
    shown = contract_table(session)
    assert shown.html.count("<tr>") >= 2 * len(found.promises)
    assert shown.text == as_text(found)


def test_a_contract_shows_itself_in_a_notebook():
    from rpcmemkit.contract import Contract
    from rpcmemkit.notebook import REPRESENTATIONS

    session = open_session(PRUNE)
    assert REPRESENTATIONS[Contract] is contract_table
    assert "root-&gt;left" in contract_table(session, "Prune").html
    assert contract_table(contract(session.interface, "Prune")).html == contract_table(session, "Prune").html


@pytest.mark.parametrize(
    ("head", "body", "osf", "said", "never"),
    [
        ("", "long", False, {"midl_user_allocate", "midl_user_free"}, {"CoTaskMem", "RpcSs", "malloc"}),
        ("object,", "HRESULT", False, {"CoTaskMemAlloc", "CoTaskMemFree"}, {"midl_user", "malloc"}),
        ("", "long", True, {"calls malloc", "calls RpcSsAllocate", "calls RpcSsFree"}, {"midl_user"}),
    ],
)
def test_rules_say_the_allocator_in_force(head, body, osf, said, never):
    text = (
        f"[{head} uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface i {{ typedef long HRESULT; "
        f"{TREE} {body} Grow([in, out, ref] node *root); {body} Make([out] node **made); }}"
    )
    session = Session(text, environment=Environment(osf=osf))
    contracts = [
        contract(session.interface, name, session.environment) for name in session.interface.procedures
    ]
    told = " ".join(as_text(contracts).split())
    assert {word for word in said if word not in told} == set()
    assert {word for word in never if word in told} == set()
    rules = json.dumps([as_data(each)["rules"] for each in contracts])
    assert {word for word in never if word in rules} == set()


def test_contracts_under_different_allocators_tell_both(idl):
    body = "typedef long HRESULT; HRESULT Get([out, string] wchar_t **name);"
    head = "uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)"
    plain, com = (Session(f"[{kind} {head}] interface i {{ {body} }}").interface for kind in ("", "object,"))
    told = " ".join(as_text([contract(plain, "Get"), contract(com, "Get")]).split())
    assert "it calls midl_user_allocate, so that the stub can free. When" in told
    assert "it calls CoTaskMemAlloc, so that the stub can free." in told


def test_a_rule_is_told_once_for_all_interfaces(explain):
    file = Path(__file__).parent / "faults" / "idl" / "three-interfaces.idl"
    told = explain(file)[1]

    assert [
        len(re.findall(rf"\[\d+\] +{rule}: ", told)) for rule in ("client-owns", "routine-allocates")
    ] == [1, 1]
    assert told.index("long C(") < told.index("client-owns:")
