"""The workbench and its magics: texts in, everything about them out, and never a traceback."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rpcmemkit import Session
from rpcmemkit.notebook.bench import completed, interface_report, report, scenario_report

pytest.importorskip("graphviz")

IDL = """
[uuid(6f2a3c10-11d4-4a57-9d3e-0a5b6c7d8e01), pointer_default(unique)]
interface lists {
  typedef struct node { long value; struct node *next; } node;
  void Cut([in, out] node *list);
}
"""
CUT = """
steps:
- call: Cut
  arguments: {list: {value: 1, next: {value: 2, next: null}}}
  server: [{set: list.next, to: null}]
  expect: {orphaned: [list.next]}
"""


class Shell:
    """As much of IPython as the magics use."""

    def __init__(self):
        self.user_ns, self.magics = {}, {}
        self.display_formatter = SimpleNamespace(formatters={"text/html": self, "text/plain": self})

    def for_type(self, kind, represent):
        assert callable(represent)

    def register_magic_function(self, function, kind, name):
        assert kind == "cell"
        self.magics[name] = function


@pytest.fixture
def magics():
    from rpcmemkit.notebook import load_ipython_extension

    shell = Shell()
    load_ipython_extension(shell)
    return SimpleNamespace(shell=shell, **shell.magics)


def test_an_interface_shows_its_contract_and_its_free_plan():
    shown = interface_report(IDL)
    assert "server-allocates-widened-pointer" in shown.text
    assert "The client's free plan, as C" in shown.text
    assert "midl_user_free(" in shown.html


def test_warnings_come_first():
    shown = interface_report(IDL.replace(", pointer_default(unique)", ""))
    assert shown.text.startswith("The compiler warns.\ninterface.idl:3:11:")
    assert "MIDL2038" in shown.text


@pytest.mark.parametrize(
    ("idl", "said"),
    [
        ("interface x {", "interface.idl:1:"),
        ("[uuid(1)] interface i { }", "interface.idl:1:"),
        ("", "no interface"),
    ],
)
def test_what_does_not_compile_is_shown_with_its_place(idl, said):
    shown = interface_report(idl)
    assert shown.text.startswith("This cannot be used as it stands.\n")
    assert said in shown.text
    assert "<pre" in shown.html


def test_a_scenario_shows_pictures_audits_and_the_verdict():
    shown = scenario_report(CUT, IDL)
    assert "list->next ORPHANED" in shown.text
    assert shown.html.count("<svg") == 1
    assert shown.text.rstrip().endswith("agree")


def test_a_disappointed_expectation_is_told():
    shown = scenario_report(CUT.replace("[list.next]", "[]"), IDL)
    assert "differ" in shown.text
    assert "orphaned" in shown.text.splitlines()[-1]


def test_an_interface_that_must_not_compile_is_judged_without_a_call():
    wrong = IDL.replace("[in, out] node *list", "[out] node list")
    shown = scenario_report("expect_error: {code: MIDL2042}\n", wrong)
    assert shown.text.rstrip().endswith("agree")
    assert "differ" in scenario_report("expect_error: {code: MIDL2121}\n", wrong).text


def test_the_client_alone_and_its_departure_are_told():
    steps = "- client: [{free: list.next}]\n- disconnect: true\n"
    shown = scenario_report(
        CUT.replace("server: [{set: list.next, to: null}]\n", "server: []\n").replace(
            "expect: {orphaned: [list.next]}", "expect: {}"
        )
        + steps,
        IDL,
    )
    assert "What your application does" in shown.text
    assert "No context handle is open" in shown.text


def test_places_in_a_scenario_are_those_of_the_cell():
    shown = scenario_report("steps:\n- call: Gone\n", IDL)
    assert "scenario.yaml:2:" in shown.text


def test_a_text_with_an_interface_of_its_own_keeps_it():
    own = completed(
        f"idl: |\n{IDL.replace(chr(10), chr(10) + '  ')}\nsteps: []\n", "interface other {}", None
    )
    assert "other" not in own


def test_the_environment_of_the_scenario_holds_for_the_contract():
    narrow = report(IDL, "", "environment: {server_pointer_size: 4}\n" + CUT)
    assert "32-bit server" in narrow.text
    assert report(IDL, "", "environment: 3\n").text.startswith("This cannot be used")
    assert "result" not in report(IDL).text


def test_magics_bind_a_session_and_use_the_texts_of_earlier_cells(magics):
    plain = magics.idl("tree --server 4", IDL)
    assert "32-bit server" in plain.text
    assert isinstance(magics.shell.user_ns["tree"], Session)
    forced = magics.acf("tree", "interface lists { Cut([force_allocate] list); }")
    assert "server-allocates-forced" in forced.text
    assert "server-allocates-forced" not in plain.text
    assert magics.shell.user_ns["tree"].environment.server_pointer_size == 4
    assert "agree" in magics.scenario("tree", CUT).text
    magics.idl("tree --server 4", IDL)
    in_buffer = CUT.replace("{orphaned: [list.next]}", "{server_storage: {list: buffer}}")
    assert "agree" in magics.scenario("tree", in_buffer).text, (
        "the scenario runs where the interface is compiled for"
    )


@pytest.mark.parametrize(
    ("magic", "line", "cell", "said"),
    [
        ("idl", "--nonsense", IDL, "unrecognized arguments"),
        ("idl", "", "interface x {", "IDL103"),
        ("idl", "--server 5", IDL, "invalid choice: 5"),
        ("acf", "", "interface lists { }", "%%acf comes after %%idl"),
        ("scenario", "", "steps: 3", "This cannot be used"),
        ("scenario", "nobody", CUT, "idl"),
    ],
)
def test_magics_show_what_is_wrong(magics, magic, line, cell, said):
    assert said in getattr(magics, magic)(line, cell).text


@pytest.mark.parametrize("magic", ["idl", "acf", "scenario"])
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("it's", "it's: no closing quotation"),
        ("3x", "'3x' cannot be the name of a variable"),
        ("for", "'for' cannot"),
    ],
)
def test_a_first_line_that_cannot_be_read(magics, magic, line, said):
    assert said in getattr(magics, magic)(line, IDL).text
    assert magics.shell.user_ns == {}


def test_a_text_with_several_interfaces(magics):
    two = IDL + IDL.replace("lists", "others").replace("8e01", "8e02").replace("Cut", "Trim").replace(
        "node", "knot"
    )
    shown = magics.idl("both", two)
    assert "void Cut(" in shown.text
    assert "void Trim(" in shown.text
    assert "The client's free plan of lists, as C" in shown.text
    assert magics.shell.user_ns["both"].interface.name == "others"
    magics.idl("one --interface lists", two)
    assert magics.shell.user_ns["one"].interface.name == "lists"
    assert "no interface list; did you mean lists?" in magics.idl("one --interface list", two).text


def test_help_of_a_magic_names_its_options(magics):
    assert "--server" in magics.idl.__doc__


def test_the_form_runs_what_is_typed_into_it():
    widgets = pytest.importorskip("ipywidgets")
    from rpcmemkit.notebook import workbench

    form = workbench(IDL, "", CUT)
    idl, acf, scenario, button, found = form.children
    assert isinstance(button, widgets.Button)
    assert "a button, Run" in repr(form)
    assert "interface lists" in repr(form)
    button.click()
    assert "ORPHANED" in found.value
    scenario.value = ""
    acf.value = "interface lists { Cut([force_allocate] list); }"
    button.click()
    assert "ORPHANED:" not in found.value
    assert "server-allocates-forced" in found.value
    idl.value = "interface x {"
    button.click()
    assert "IDL103" in found.value
