"""Loading scenario files: the schema, located errors with remedies, places of compile errors."""

import json

import pytest
from jsonschema import Draft202012Validator

from rpcmemkit.errors import IdlError, ScenarioError, UsageError
from rpcmemkit.scenario import Run, load_scenario, parse_bytes, parse_scenario
from rpcmemkit.scenario.validate import schema

HEAD = """\
scenario: add-one
about: Adds a node.
idl: |
  [uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)]
  interface tree
  {
    typedef struct node { long value; struct node *next; } node;
    long Add([in, out] node *root, [in] long count);
  }
"""
CALL = """\
steps:
- call: Add
  arguments: {root: {value: 1, next: {value: 2, next: null}}, count: 3}
"""
FULL = HEAD + CALL


def failure(text):
    """The error of loading and running a text."""
    with pytest.raises(ScenarioError) as caught:
        list(Run(parse_scenario(text, "f.yaml")).outcomes())
    return caught.value


def test_a_scenario_has_everything_that_the_file_says():
    scenario = parse_scenario(
        FULL
        + "acf: |\n  interface tree {}\nenvironment: {pointer_size: 4}\nsource: ['docs: a.md', docs: b.md]\n"
        + "wine_note: it leaks\ndcerpc_note: 7\n"
    )

    assert (scenario.name, scenario.about) == ("add-one", "Adds a node.")
    assert scenario.idl.startswith("[uuid(")
    assert scenario.acf == "interface tree {}\n"
    assert scenario.environment == {"pointer_size": 4}
    assert scenario.memory == {}
    assert scenario.steps[0]["arguments"]["count"] == 3
    assert scenario.source == ["docs: a.md", "docs: b.md"]
    assert scenario.notes == {"wine_note": "it leaks", "dcerpc_note": 7}
    assert scenario.expect_error is None


def test_a_single_source_and_empty_keys():
    scenario = parse_scenario(FULL + "source: 'docs: a.md'\nmemory:\nenvironment:\nacf:\n")

    assert scenario.source == ["docs: a.md"]
    assert (scenario.memory, scenario.environment, scenario.acf) == ({}, {}, None)


@pytest.mark.parametrize(("raw", "data"), [("0000", "0000"), ("1e10", "1e10"), ("", ""), ("'01 02'", "0102")])
def test_bytes_stay_text_even_unquoted(raw, data):
    scenario = parse_scenario(FULL + f"  expect:\n    request: {raw}\n    response: 12\n")

    assert scenario.steps[0]["expect"] == {"request": data, "response": "12"}


def test_a_parameter_may_be_called_request():
    text = FULL.replace("count", "request").replace("request: 3", "request: 3")

    assert parse_scenario(text).steps[0]["arguments"]["request"] == 3


WRONG = [
    ("steps: {}\n", "steps", 10, 8, "an empty map does not fit here", "a list"),
    ("steps: []\n", "steps", 10, 8, "an empty list does not fit here", ""),
    (CALL + "  sever: []\n", "steps[0].sever", 13, 3, "the key `sever` does not belong here", "`server`?"),
    (CALL + "  expect: {statu: ok}\n", "steps[0].expect.statu", 13, 12, "`statu`", "`status`?"),
    (CALL + "  expect: {zzz: ok}\n", "steps[0].expect.zzz", 13, 12, "`zzz`", "`server_sees`"),
    (
        CALL + "  expect: {status: [1]}\n",
        "steps[0].expect.status",
        13,
        20,
        "a list does not",
        "text or a whole number",
    ),
    (CALL + "  expect: {request: abc}\n", "steps[0].expect.request", 13, 21, "'abc'", "hexadecimal"),
    (CALL + "  expect: {client_frees: -1}\n", "steps[0].expect.client_frees", 13, 26, "-1", "not negative"),
    (
        CALL + "  expect: {server_storage: {root: heap}}\n",
        "steps[0].expect.server_storage.root",
        13,
        35,
        "'heap'",
        "buffer",
    ),
    (
        CALL + "  expect: {client_after: {root: {$lable: x}}}\n",
        "steps[0].expect.client_after.root.$lable",
        13,
        34,
        "`$lable`",
        "`$label`?",
    ),
    (CALL + "  server:\n  - sett: a\n    to: 1\n", "steps[0].server[0].sett", 14, 5, "`sett`", "`set`?"),
    (CALL + "  server:\n  - set: a\n", "steps[0].server[0]", 14, 5, "the key `to` is missing", ""),
    (CALL + "  server:\n  - {free: a, to: 1}\n", "steps[0].server[0].to", 14, 15, "`to`", "`free`"),
    (CALL + "  server:\n  - {}\n", "steps[0].server[0]", 14, 5, "an empty map", "One action"),
    (CALL + "  server: [{raise: 0}]\n", "steps[0].server[0].raise", 13, 20, "0 is success", ""),
    (CALL + "- client: [{keep: a}]\n", "steps[1].client[0].keep", 13, 13, "`keep`", "`set`"),
    (CALL + "- {client: [], call: Add}\n", "steps[1].call", 13, 16, "`call`", "`client`"),
    (CALL + "- {}\n", "steps[1]", 13, 3, "an empty map", "One remote call"),
    (CALL + "memory: {a: {$alias: b, c: 1}}\n", "memory.a.c", 13, 25, "`c`", "`$alias`"),
    (
        CALL + "memory: {a: [{$value: 1}]}\n",
        "memory.a[0]",
        13,
        14,
        "a map does not fit",
        "$value stands beside",
    ),
    (CALL + "environment: {pointer_size: 5}\n", "environment.pointer_size", 13, 29, "the number 5", "4"),
    (CALL + "environment: {osf: maybe}\n", "environment.osf", 13, 20, "'maybe'", "true or false"),
    (CALL + "source: 3\n", "source", 13, 9, "the number 3", "text, a list or null"),
    (CALL + f"extra: {'x' * 60}\n", "extra", 13, 1, "`extra`", "`scenario`"),
    (CALL + "expect_error: {code: 1}\n", "", 1, 1, "exclude each other", ""),
    (
        CALL + "  server: [{rpcss: RpcSmAllocate, size: -4}]\n",
        "steps[0].server[0].size",
        13,
        41,
        "the number -4",
        "a number of bytes, not negative",
    ),
    # names that mean nothing
    (
        CALL + "  expect: {status: RPC_S_ACCESS_DENIE}\n",
        "steps[0].expect.status",
        13,
        20,
        "there is no status `RPC_S_ACCESS_DENIE`",
        "`RPC_S_ACCESS_DENIED`?",
    ),
    (CALL + "  expect: {status: zzz}\n", "steps[0].expect.status", 13, 20, "no status `zzz`", "its number"),
    (
        CALL + "  expect: {statuses: [ok, RPC_X_NULL_REF_PONTER]}\n",
        "steps[0].expect.statuses[1]",
        13,
        27,
        "no status",
        "`RPC_X_NULL_REF_POINTER`?",
    ),
    (
        CALL + "- client: []\n  expect: {status: zzz}\n",
        "steps[1].expect.status",
        14,
        20,
        "no status",
        "number",
    ),
    (
        CALL + "  server: [{return: 1}, {raise: RPC_S_ACCES_DENIED}]\n",
        "steps[0].server[1].raise",
        13,
        33,
        "no status",
        "`RPC_S_ACCESS_DENIED`?",
    ),
    (
        CALL + "  expect: {rules: [server-reuses-bufer]}\n",
        "steps[0].expect.rules[0]",
        13,
        20,
        "no rule",
        "`server-reuses-buffer`?",
    ),
    (
        CALL + "  expect: {rules: [zzz]}\n",
        "steps[0].expect.rules[0]",
        13,
        20,
        "no rule `zzz`",
        "rpcmemkit rules",
    ),
    (CALL + "claims: [M-060, M-999]\n", "claims[1]", 13, 17, "no claim `M-999`", "`M-"),
    ("", "", 1, 1, "neither `steps` nor `expect_error`", ""),
]


@pytest.mark.parametrize(("more", "path", "line", "column", "message", "help_"), WRONG)
def test_what_does_not_fit_the_format_is_told_where_it_is(more, path, line, column, message, help_):
    error = failure(HEAD + more)

    assert (error.path, error.line, error.column) == (path, line, column)
    assert message in error.message
    assert help_ in f"{', '.join(error.expected)} {error.remedy}"


@pytest.mark.parametrize(
    "root",
    [
        "{$label: root, $value: {value: 1, next: null}}",
        "{value: 1, next: {$label: root.next, $value: {value: 2, next: null}}}",
        "{$label: top, $value: {value: 1, next: {$label: root, $value: {value: 2, next: null}}}}",
        "{value: 1, next: {$label: rooted, $value: {value: 2, next: null}}}",
    ],
)
def test_labels_that_mean_one_thing(root):
    text = HEAD + f"steps:\n- call: Add\n  arguments: {{root: {root}, count: 1}}\n"

    (outcome,) = Run(parse_scenario(text)).outcomes()
    assert outcome.call.status == 0


def test_names_that_mean_something():
    text = FULL + "  expect: {status: ok, rules: [server-reuses-buffer]}\nclaims: [M-001]\n"

    assert parse_scenario(text).claims == ["M-001"]
    for status in ("5", "ERROR_ACCESS_DENIED", "'77'"):
        assert parse_scenario(FULL + f"  expect: {{status: {status}}}\n")


@pytest.mark.parametrize("text", ["[1]", "word", "7"])
def test_a_file_that_is_no_map_is_refused(text):
    assert "a scenario is a map" in failure(text).message


def test_a_misspelled_key_explains_the_missing_one():
    assert failure(FULL.replace("scenario:", "scenari:")).remedy == "did you mean `scenario`?"


def test_a_bad_name_and_a_long_text_are_shown_shortly():
    error = failure(FULL.replace("add-one", "A" * 60))

    assert error.path == "scenario"
    assert len(error.message) < 90


def test_a_value_nested_deep_needs_no_recursion():
    deep = "null"
    for number in range(190):
        deep = f"{{$label: n{number}, $value: {{value: {number}, next: {deep}}}}}"
    scenario = parse_scenario(FULL.replace("{value: 2, next: null}", deep))

    (outcome,) = Run(scenario).outcomes()
    assert outcome.call.status == 0


# --- compile errors are reported where the scenario file has the text ------------------------------


def places(text):
    with pytest.raises(IdlError) as caught:
        Run(parse_scenario(text, "dir/f.yaml"))
    return [
        (each.file, each.line, each.column, each.source)
        for each in caught.value.diagnostics
        if each.severity == "error"
    ]


def test_an_error_in_the_idl_block():
    (place,) = places(FULL.replace("node *root", "nod *root"))

    assert place == ("dir/f.yaml", 8, 24, "    long Add([in, out] nod *root, [in] long count);")


def test_an_error_in_the_acf_block():
    place, *_ = places(FULL + "acf: |\n  interface tree\n  {\n    typedef [allocate(nothing)] node;\n  }\n")

    assert place[:2] == ("dir/f.yaml", 16)
    assert "allocate(nothing)" in place[3]


def test_an_error_in_a_folded_text_keeps_its_own_line():
    folded = "scenario: a\nidl: >\n  interface i\n  {\n  void f([in] nod x); }\n" + CALL
    (place,) = places(folded)

    assert place[0] == "dir/f.yaml (idl)"
    assert "nod x" in place[3]


def test_a_text_without_an_interface():
    error = failure("scenario: a\nidl: typedef long x;\nsteps: [{call: x}]\n")

    assert (error.path, error.line, error.column) == ("idl", 2, 6)


def test_an_import_is_looked_for_beside_the_scenario(tmp_path):
    (tmp_path / "node.idl").write_text("typedef struct node { long value; } node;")
    text = 'scenario: a\nidl: |\n  import "node.idl";\n  [uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i { void f([in] node *n); }\n'
    (tmp_path / "a.yaml").write_text(text + "steps: [{call: f, arguments: {n: {value: 1}}}]\n")

    (outcome,) = Run(load_scenario(tmp_path / "a.yaml")).outcomes()
    assert outcome.call.status == 0


def test_an_error_in_an_imported_file_stays_there(tmp_path):
    (tmp_path / "node.idl").write_text("typedef strukt node;")
    text = 'scenario: a\nidl: |\n  import "node.idl";\n  interface i { void f(); }\nsteps: [{call: f}]\n'
    (tmp_path / "a.yaml").write_text(text)

    with pytest.raises(IdlError) as caught:
        Run(load_scenario(tmp_path / "a.yaml"))
    assert caught.value.diagnostics[0].file.endswith("node.idl")


# --- bytes and files ------------------------------------------------------------------------------


def test_a_file_that_is_not_utf_8():
    with pytest.raises(ScenarioError) as caught:
        parse_bytes(b"a: 1\nb: \xff", "f.yaml")

    assert (caught.value.line, caught.value.column) == (2, 4)
    assert "0xff" in caught.value.message


def test_a_file_without_end():
    with pytest.raises(UsageError, match="a device; only ordinary files"):
        load_scenario("/dev/zero")


def test_a_byte_order_mark():
    assert parse_bytes(b"\xef\xbb\xbf" + FULL.encode(), "f.yaml").name == "add-one"


def test_a_missing_file():
    with pytest.raises(FileNotFoundError):
        load_scenario("/no/such/file.yaml")


# --- the schema ------------------------------------------------------------------------------------


def test_the_schema_is_a_schema_and_describes_every_key():
    Draft202012Validator.check_schema(schema())
    lacking = []
    pending = [("", schema())]
    while pending:
        where, part = pending.pop()
        if isinstance(part, dict):
            properties = part.get("properties", {})
            lacking += [f"{where}.{name}" for name, rule in properties.items() if not _described(rule)]
            pending += [(f"{where}.{name}", inner) for name, inner in part.items()]
    assert lacking == []


def _described(rule):
    target = schema()["$defs"].get(rule.get("$ref", "").rpartition("/")[2], {})
    return "description" in rule or "description" in target


def test_the_schema_alone_takes_a_whole_file():
    data = parse_scenario(FULL).document.data

    Draft202012Validator(json.loads(json.dumps(schema()))).validate(data)
