"""Verifying: every mutation of a true expectation is found, at exactly its path, and nothing else."""

import copy
import json
from pathlib import Path

import pytest

from rpcmemkit.scenario import find_files, load_scenario, parse_scenario, verify, verify_file

CONFORMANCE = Path(__file__).parents[1] / "conformance"
PRUNE = CONFORMANCE / "wine" / "tree-prune-and-graft.yaml"


def expectations(file):
    return load_scenario(file).steps[0]["expect"]


def leaves(value, path=()):
    """Every scalar below a value, with its path."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def mutated(value, path):
    if path[-1] == "$new":
        return None
    if path[-1] in ("$label", "$alias"):
        return "another"
    if isinstance(value, str):
        return "00" if path[0] in ("request", "response") or path[-1] == "$hex" else value + "x"
    return (
        {None: 7, True: False, False: True}.get(value, 7)
        if value is None or isinstance(value, bool)
        else value + 1
    )


def reported(path):
    """How verify writes the path of a mutation: labels stand for their storage."""
    if path[0] == "orphaned":
        return "orphaned"
    if path[0] == "server_storage":
        return ".".join(path)
    steps = [step for step in path if step not in ("$label", "$alias", "$new", "$elements", "$hex")]
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
    return text.replace(".$value", "") if ".$case" not in text else text


def mutations():
    files = [PRUNE, CONFORMANCE / "wine" / "sibling-lists-unique-shared.yaml"]
    files += [
        CONFORMANCE / "wine" / f"{name}.yaml" for name in ("basket-count-shrinks", "switch-bank-booleans")
    ]
    found = []
    for file in files:
        for path, value in leaves(expectations(file)):
            if mutated(value, path) is not None:
                found.append(pytest.param(file, path, id=f"{file.stem}:{'.'.join(map(str, path))}"))
    return found


@pytest.mark.parametrize(("file", "path"), mutations())
def test_a_mutation_is_reported_at_exactly_its_path(file, path):
    scenario = load_scenario(file)
    scenario.steps = copy.deepcopy(scenario.steps)
    holder = scenario.steps[0]["expect"]
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = mutated(holder[path[-1]], path)

    report = verify(scenario)

    assert report.result == "differ"
    assert reported(path) in [each.path for each in report.differences]
    assert {each.path for each in report.differences} <= {reported(path), *_relabelled(path, report)}


def _relabelled(path, report):
    """One wrong label of a pair makes the other one wrong too."""
    return [each.path for each in report.differences] if path[-1] in ("$label", "$alias") else []


def changed(old, new, file=PRUNE):
    text = file.read_text(encoding="utf-8")
    assert old in text
    report = verify(parse_scenario(text.replace(old, new), "f.yaml"))
    return [each.path for each in report.differences]


def test_old_storage_is_not_new_storage():
    assert changed("left: {$new: true, $value: {value: 9, left: null, right: null}}", "left: {$label: x, $value: {value: 9}}") == [
        "client_after.root.right.left"
    ]  # fmt: skip
    assert changed("right:\n            $label: root.right", "right:\n            $new: true") == [
        "client_after.root.right"
    ]


def test_a_status_by_name_by_alias_and_by_number():
    file = CONFORMANCE / "wine" / "withdraw-raises.yaml"

    for name in ("5", "RPC_S_ACCESS_DENIED", "ERROR_ACCESS_DENIED", "'5'"):
        assert (
            changed(
                "status: RPC_S_ACCESS_DENIED" if "status: RPC" in file.read_text() else "status: 5",
                f"status: {name}",
                file,
            )
            == []
        )
    assert changed("status: 5", "status: RPC_S_INVALID_ARG", file) == ["status"]


def test_upper_case_bytes_are_the_same():
    text = PRUNE.read_text(encoding="utf-8")
    data = text.split('request: "')[1].split('"')[0]

    assert changed(data, data.upper()) == []


def test_keys_that_are_not_there_are_reported():
    assert changed("count: {$label: count, $value: 3}", "cuont: {$label: count, $value: 3}") == [
        "client_after.cuont"
    ]
    assert changed(
        "root.right.right: null", "root.right.rite: null, root.value: buffer".replace(", ", "\n      ")
    ) == [
        "server_storage.root.right.rite",
        "server_storage.root.value",
    ]


# --- arrays, unions, text --------------------------------------------------------------------------

SHAPES = """\
scenario: shapes
idl: |
  [uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)]
  interface shapes
  {
    typedef enum { RED, GREEN } color;
    typedef struct node { long value; struct node *next; } node;
    typedef [switch_type(long)] union { [case(1)] long one; [case(2)] node *two; [default] ; } choice;
    typedef struct { node *first; node *second; } pair;
    void Few([in, out] long *n, [in, out, size_is(*n)] long *a);
    void Nodes([in, out] long *n, [in, out, size_is(*n)] node *a);
    void Name([in, out, string] char *s, [in, out] char raw[4], [in, out] wchar_t wide[2], [in, out] byte b[3]);
    void Pick([in] long k, [in, out, switch_is(k)] choice *c);
    void Reals([in, out] float *f, [in, out] double *d, [in, out] char *c, [in, out] boolean *b, [in, out] color *e);
    void Two([in, out] pair *p);
    void Varying([in] long n, [in] long m, [in, size_is(n), length_is(m)] long *a);
  }
steps:
"""


FEW = "{call: Few, arguments: {n: 4, a: [1, 2, 3, 4]}, server: [{set: n, to: 2}], expect: %s}"
NAME = "{call: Name, arguments: {s: 'bob', raw: {$hex: 01020041}, wide: [65, 66], b: {$hex: 0a0b0c}}, expect: %s}"
REALS = "{call: Reals, arguments: {f: 0.1, d: 0.1, c: 'A', b: true, e: 1}, expect: %s}"
PICK = "{call: Pick, arguments: {k: 1, c: {$case: 1, $value: 5}}, expect: %s}"
TWO = "{call: Two, arguments: {p: {first: {value: 1}, second: null}}, server: [{allocate: p.second, value: {value: 2, next: null}}%s], expect: %s}"

COMPARED = [
    (FEW, "{client_after: {a: [1, 2]}}", []),
    (FEW, "{client_after: {a: [1, 2, 3]}}", ["client_after.a"]),
    (FEW, "{client_after: {a: {$allocated: 4, $elements: [1, 2, 3, 4]}}}", []),
    (FEW, "{client_after: {a: {$label: a, $value: {$allocated: 4, $elements: [1, 2, 3, 4]}}}}", []),
    (FEW, "{client_after: {a: {$allocated: 4, $elements: [1, 2, 3, 5]}}}", ["client_after.a[3]"]),
    (FEW, "{client_after: {a: {$allocated: 4, $elements: [1, 2, 3]}}}", ["client_after.a"]),
    (FEW, "{client_after: {a: {$allocated: 5, $elements: [1, 2, 3, 4]}}}", ["client_after.a"]),
    (FEW, "{client_after: {n: {$allocated: 1}}}", ["client_after.n"]),
    (FEW, "{client_after: {x: {$allocated: 1}}}", ["client_after.x"]),
    (FEW, "{client_after: {a: {x: 1}}}", ["client_after.a"]),
    (FEW, "{client_after: {n: [2]}}", ["client_after.n"]),
    (FEW, "{client_after: {n: {x: 2}}}", ["client_after.n"]),
    (FEW, "{client_after: {n: '0x2'}}", []),
    (FEW, "{client_after: {n: two}}", ["client_after.n"]),
    (FEW, "{client_after: {n: null}}", ["client_after.n"]),
    (NAME, "{client_after: {s: bob, raw: {$hex: 01020041}, wide: 'AB', b: {$hex: 0a0b0c}}}", []),
    (NAME, "{client_after: {s: [98, 111, 98], raw: [1, 2, 0, 65], wide: [65, 66], b: [10, 11, 12]}}", []),
    (NAME, "{client_after: {s: bab}}", ["client_after.s"]),
    (NAME, "{client_after: {s: {$hex: 626f62}}}", []),
    (NAME, "{client_after: {s: {$allocated: 4, $elements: bob}}}", []),
    (NAME, "{client_after: {s: {$allocated: 4, $elements: bo}}}", ["client_after.s"]),
    (NAME, "{client_after: {raw: {$allocated: 4, $elements: {$hex: 01020041}}}}", []),
    (NAME, "{client_after: {b: {$allocated: 3, $elements: [10, 11, 12]}}}", []),
    (NAME, "{client_after: {raw: {$hex: 01020042}}}", ["client_after.raw"]),
    (NAME, "{client_after: {b: {$hex: 0a0b0d}}}", ["client_after.b"]),
    (NAME, "{client_after: {b: 7}}", ["client_after.b"]),
    (REALS, "{client_after: {f: 0.1, d: 0.1, c: 'A', b: 1, e: 1}}", []),
    (REALS, "{client_after: {f: 1e-1, d: '0.1', c: 65, b: true}}", []),
    (REALS, "{client_after: {f: 0.2, d: 0.2, c: 66, b: false}}", [f"client_after.{name}" for name in "fdcb"]),
    (REALS, "{client_after: {f: 1.0e+300}}", ["client_after.f"]),
    (REALS, "{client_after: {f: .nan}}", ["client_after.f"]),
    (REALS, "{client_after: {c: -1, b: null, d: x}}", ["client_after.c", "client_after.b", "client_after.d"]),
    (PICK, "{client_after: {c: {$case: 1, $value: 5}}}", []),
    (PICK, "{client_after: {c: {$case: 2, $value: 5}}}", ["client_after.c.$case"]),
    (PICK, "{client_after: {c: {$case: 1, $value: 6}}}", ["client_after.c.$value"]),
    (TWO.replace("%s]", "]"), "{client_after: {p: {first: {value: 1}, second: {$new: true}}}}", []),
    (TWO.replace("%s]", "]"), "{client_after: {p: {second: {$new: true, $label: q, $value: {value: 3}}}}}", ["client_after.p.second.value"]),
    (TWO.replace("%s]", "]"), "{client_after: {p: {first: {$label: a, $value: {value: 1}}}}}", ["client_after.p.first"]),
    (TWO.replace("%s]", "]"), "{client_after: {p: {first: {$alias: p.first}, second: {$alias: p.first}}}}", ["client_after.p.second"]),
    (TWO.replace("%s]", "]"), "{client_after: {p: {first: null, second: 7}}}", ["client_after.p.first", "client_after.p.second"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "expect", "paths"), COMPARED)
def test_values_are_compared_as_the_format_says(call, expect, paths):
    report = verify(parse_scenario(f"{SHAPES}- {call % expect}\n", "f.yaml"))

    assert not report.error, report.error
    assert [each.path for each in report.differences] == paths


def test_elements_of_structures_beyond_the_count():
    nodes = "{call: Nodes, arguments: {n: 2, a: [{value: 1}, {value: 2, next: {value: 3}}]}, server: [{set: n, to: 1}], expect: %s}"
    expect = "{client_after: {a: {$allocated: 2, $elements: [{value: 1}, {value: 2, next: {$label: 'a[1].next', $value: {value: 3}}}]}}}"

    report = verify(parse_scenario(f"{SHAPES}- {nodes % expect}\n", "f.yaml"))
    assert (report.error, report.differences) == ("", [])


def test_what_the_server_sees_of_a_varying_array():
    call = "{call: Varying, arguments: {n: 4, m: 2, a: [1, 2, 3, 4]}, expect: {server_sees: {a: %s}}}"

    for shown, paths in [
        ("{$allocated: 4, $elements: [1, 2]}", []),
        ("{$allocated: 4, $elements: [1, 2, 0]}", []),
        ("[1, 2]", []),
        ("{$allocated: 4, $elements: [1]}", ["server_sees.a"]),
        ("{$allocated: 3, $elements: [1, 2]}", ["server_sees.a"]),
    ]:
        report = verify(parse_scenario(f"{SHAPES}- {call % shown}\n", "f.yaml"))
        assert [each.path for each in report.differences] == paths, shown


# --- labels name storage one to one ----------------------------------------------------------------

SHARED = "{call: Two, arguments: {p: {first: null, second: null}}, server: [{allocate: p.first, value: {value: 1, next: null}}, {point: p.second, at: p.first}], expect: {client_after: {p: %s}}}"
FULL = SHAPES.replace("node *first; node *second;", "[ptr] node *first; [ptr] node *second;")


@pytest.mark.parametrize(
    ("expect", "paths"),
    [
        ("{first: {$new: true, $label: q, $value: {value: 1}}, second: {$alias: q}}", []),
        (
            "{first: {$new: true, $label: fresh9}, second: {$new: true, $label: fresh9, $value: {value: 1}}}",
            [],
        ),
        ("{first: {$new: true, $label: a}, second: {$new: true, $label: b}}", ["client_after.p.second"]),
        ("{first: {$alias: a}, second: {$alias: b}}", ["client_after.p.second"]),
    ],
)
def test_new_storage_has_any_name_but_only_one(expect, paths):
    report = verify(parse_scenario(f"{FULL}- {SHARED % expect}\n", "f.yaml"))

    assert [each.path for each in report.differences] == paths, report.error


def test_two_pieces_of_new_storage_are_not_one():
    apart = SHARED.replace(
        "{point: p.second, at: p.first}", "{allocate: p.second, value: {value: 1, next: null}}"
    )
    report = verify(
        parse_scenario(
            f"{FULL}- {apart % '{first: {$new: true, $label: q}, second: {$alias: q}}'}\n", "f.yaml"
        )
    )

    assert [each.path for each in report.differences] == ["client_after.p.second"]


# --- files that must not compile -------------------------------------------------------------------

REFUSED = (CONFORMANCE / "wine" / "out-by-value-refused.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("wanted", "paths"),
    [
        ("{}", []),
        ("{parameter: value}", []),
        ("{code: IDL301}", []),
        ("{code: 2042, parameter: value}", []),
        ("{code: MIDL2042}", []),
        ("{code: midl2042}", []),
        ("{rule: M-314}", []),
        ("{parameter: counter}", ["expect_error.parameter"]),
        ("{code: 2043, parameter: value}", ["expect_error.code"]),
        (
            "{code: 1, parameter: x, rule: y}",
            ["expect_error.code", "expect_error.parameter", "expect_error.rule"],
        ),
    ],
)
def test_only_the_given_keys_of_an_error_are_compared(wanted, paths):
    report = verify(parse_scenario(REFUSED.replace("{parameter: value}", wanted), "f.yaml"))

    assert [each.path for each in report.differences] == paths
    assert all(str(each).startswith("interface: ") for each in report.differences)


def test_a_file_that_compiles_against_its_word_differs():
    report = verify(parse_scenario(REFUSED.replace("[out] long value", "[out] long *value"), "f.yaml"))

    assert [each.path for each in report.differences] == ["expect_error"]
    assert report.differences[0].actual == "the interface compiles"


# --- reports and files -----------------------------------------------------------------------------


def test_a_report_is_plain_data(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(PRUNE.read_text().replace("client_allocations: 1", "client_allocations: 2"))
    report = verify_file(file)

    assert json.loads(json.dumps(report.as_data())) == {
        "file": str(file),
        "scenario": "tree-prune-and-graft",
        "result": "differ",
        "differences": [
            {"call": 1, "procedure": "Prune", "path": "client_allocations", "expected": 2, "actual": 1}
        ],
    }
    assert str(report.differences[0]) == "call 1 (Prune): client_allocations: expected 2, got 1"


def test_long_values_are_shown_shortly(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(PRUNE.read_text().replace('request: "', f'request: "{"00" * 200}'))

    assert len(str(verify_file(file).differences[0])) < 400


@pytest.mark.parametrize("content", ["a: [", "scenario: a\nidl: x\nsteps: [{call: f}]\n"])
def test_what_cannot_run_is_an_error(tmp_path, content):
    file = tmp_path / "a.yaml"
    file.write_text(content)
    report = verify_file(file)

    assert report.result == "error"
    assert str(file) in report.as_data()["error"]


def test_a_missing_file_is_an_error():
    assert verify_file("/no/such.yaml").error == "No such file or directory"


def test_files_are_found_below_directories_in_order(tmp_path):
    for name in ("b.yaml", "a/z.yml", "a/b.yaml", "readme.md", "a/x.yaml/inner.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")

    found = [path.relative_to(tmp_path).as_posix() for path in find_files([tmp_path, tmp_path / "b.yaml"])]
    assert found == ["a/b.yaml", "a/x.yaml/inner.yaml", "a/z.yml", "b.yaml"]
    assert find_files(["/no/such.yaml"]) == [Path("/no/such.yaml")]


POINTER_TO_NULL = """\
scenario: pointer-to-null
idl: |
  [uuid(6f2a3c10-11d4-4a57-9d3e-0a5b6c7d8e11), pointer_default(unique)]
  interface texts
  {
    typedef [switch_type(long)] union { [case(1)] long a; [case(2)] long b; } either;
    typedef struct { long k; [switch_is(k)] either u; } chosen;
    void Get([out, string] wchar_t **text);
    void Put([in] chosen *s);
  }
steps:
"""


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("{}", "ok"),
        ("{text: {$label: text, $value: null}}", "ok"),
        ("{text: null}", "RPC_X_NULL_REF_POINTER"),
    ],
)
def test_storage_that_is_left_out_and_a_pointer_to_null(arguments, status):
    """As scenario-files.md says."""
    step = f"- call: Get\n  arguments: {arguments}\n  server: [{{allocate: '*text', value: hi}}]\n"
    after = "{text: {$label: text, $value: {$new: true, $value: hi}}}" if status == "ok" else "{}"
    expect = f"  expect: {{status: {status}, client_after: {after}}}\n"

    assert verify(parse_scenario(POINTER_TO_NULL + step + expect)).differences == []


def test_the_discriminant_decides_what_is_sent_whatever_the_case():
    step = "- call: Put\n  arguments: {s: {k: 1, u: {$case: 2, $value: 7}}}\n"
    expect = "  expect: {server_sees: {s: {k: 1, u: {$case: 1, $value: 7}}}}\n"

    assert verify(parse_scenario(POINTER_TO_NULL + step + expect)).differences == []


def test_a_status_that_does_not_exist_in_a_scenario_made_in_memory():
    loaded = parse_scenario(POINTER_TO_NULL + "- call: Get\n  expect: {status: ok}\n")
    loaded.steps[0]["expect"]["status"] = "NO_SUCH_NAME"

    assert [each.path for each in verify(loaded).differences] == ["status"]


NUMBERS = """
scenario: numbers
idl: |
  [uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1805)]
  interface i { long f([in] unsigned short n, [out] hyper *m, [in] small s); }
steps:
- call: f
  arguments: {n: -1, s: 0xff}
  server: [{set: m, to: 0xffffffffffffffff}, {return: 0x80004005}]
  expect:
    server_sees: {n: 65535, s: -1}
    client_after: {return: 0x80004005, m: -1}
"""


def test_a_number_of_the_right_width_is_taken_as_c_converts_it():
    assert verify(parse_scenario(NUMBERS)).result == "agree"
    other = NUMBERS.replace("return: 0x80004005, m: -1", "return: -2147467259, m: 0xffffffffffffffff")
    assert verify(parse_scenario(other.replace("n: 65535, s: -1", "n: -1, s: 0xff"))).result == "agree"


@pytest.mark.parametrize("wrong", ["return: 0x80004006, m: -1", "return: 0x80004005, m: 0xffffffff"])
def test_a_number_of_another_width_is_another_number(wrong):
    assert verify(parse_scenario(NUMBERS.replace("return: 0x80004005, m: -1", wrong))).result == "differ"


def test_a_name_that_is_not_there_is_corrected():
    report = verify(parse_scenario(NUMBERS.replace("{return: 0x80004005, m", "{retrun: 0x80004005, m")))
    assert [each.actual for each in report.differences] == ["(nothing); did you mean return?"]
