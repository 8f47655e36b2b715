"""The memory story: short sentences about who allocates, who frees, and what is wrong. Always the same."""

import io
import textwrap
from pathlib import Path

import pytest
from rich.console import Console

from rpcmemkit import Session
from rpcmemkit.audit import DEEDS, LEAKS
from rpcmemkit.environment import Environment
from rpcmemkit.kinds import EventKind
from rpcmemkit.prose import Sentence, Table, table_text
from rpcmemkit.scenario import ClientStep, Run, find_files, load_scenario, parse_scenario
from rpcmemkit.story import _DEEDS, _WHY_LEAKED, counts, tell, tell_client
from rpcmemkit.views import address_of

FOLDER = Path(__file__).parent / "conformance"
FILES = [file for file in find_files([FOLDER]) if "expect_error" not in file.read_text(encoding="utf-8")]
LIST = "typedef struct node { long value; struct node *next; } node;"


def stories(name):
    (file,) = FOLDER.rglob(f"{name}.yaml")
    return [tell(outcome.call) for outcome in Run(load_scenario(file)).outcomes()]


def session(parameters, result="void", **environment):
    head = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)]"
    return Session(
        f"{head} interface i {{ {LIST} {result} f({parameters}); }}", environment=Environment(**environment)
    )


def sentences(story):
    return [part.text for section in story.sections for part in section.parts if isinstance(part, Sentence)]


def says(story, *words):
    text = " ".join(sentences(story))
    return all(word in text for word in words)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_call_has_a_story_that_fits_and_is_always_the_same(file):
    def told():
        return [tell(outcome.call).text(72) for outcome in Run(load_scenario(file)).outcomes()]

    first = told()
    assert first == told()
    assert all(len(line) <= 72 for text in first for line in text.splitlines())


def test_a_pruned_tree():
    (story,) = stories("tree-prune-and-graft")

    assert [section.heading for section in story.sections] == [
        "What comes of it",
        "Before the call: the client",
        "The request",
        "On entry to your routine: the server",
        "What your routine does",
        "The response",
        "When the reply is on its way: the server cleans up",
        "After the call: the client",
        "The counts",
    ]
    assert says(
        story,
        "The call succeeds.",
        "ORPHANED: 1 client block",
        "LEAKED: 1 server block",
        "You pass storage of your own: 4 blocks, 76 bytes.",
        "36 bytes of stub data travel to the server.",
        "It writes root->value and root->left.",
        "It allocates root->right->left (at 0x400000",
        "count and its result.",
        "The stub calls midl_user_free 3 times",
        "LEAKED: root->left (at",
        "the client stub calls midl_user_allocate once. 1 block is yours now: free it with midl_user_free.",
        "ORPHANED: root->left. It is still yours to free",
        "client stub: 1 allocated, 0 freed, 1 orphaned; server: 4 allocated, 3 freed, 1 leaked",
    )


def test_where_a_referent_lives_and_why():
    (story,) = stories("order-embedded-unique")
    entry = next(section for section in story.sections if section.heading.startswith("On entry"))
    table = next(part for part in entry.parts if isinstance(part, Table))

    assert table.heads == ("pointer", "where it leads", "bytes", "address", "rule")
    assert {row[1] for row in table.rows} >= {"the receive buffer"}
    assert any(
        part.tone == "rule" and part.text.startswith("server-reuses-buffer: ")
        for part in entry.parts
        if isinstance(part, Sentence)
    )


def test_a_clean_call_is_called_clean():
    quiet = session("[in] long n")
    quiet.set_routine("f", lambda call: None)
    story = tell(quiet.try_call("f", {"n": 1}))

    assert says(
        story,
        "Nothing is orphaned, leaked or left dangling.",
        "You pass no storage",
        "Your routine gets no pointers.",
    )
    assert says(
        story,
        "It changes nothing.",
        "No bytes of stub data travel to the client.",
        "Nothing has changed in your memory.",
    )
    assert says(story, "The stub has nothing to free")


def test_one_byte_travels_alone():
    assert says(
        tell(session("[in] byte b").try_call("f", {"b": 1})), "1 byte of stub data travels to the server."
    )


def test_an_exception_of_the_routine():
    story = stories("withdraw-raises")[0]

    assert says(
        story,
        "The call ends with RPC_S_ACCESS_DENIED (5): call not permitted. Your routine raises it.",
        "It raises exception RPC_S_ACCESS_DENIED (5).",
    )


def test_an_exception_without_a_name():
    interface = session("[in] long n")

    @interface.routine
    def f(call, n):
        call.raise_exception(77_777)

    assert says(
        tell(interface.try_call("f", {"n": 1})),
        "The call ends with exception 77777. Your",
        "It raises exception 77777.",
    )


def test_an_exception_of_the_client_stub():
    story = tell(session("[in, ref] long *p").try_call("f", {"p": None}))

    assert says(story, "RPC_X_NULL_REF_POINTER (1780)", "The client stub raises it at p.", "[ref-never-null]")
    assert [section.heading for section in story.sections] == [
        "What comes of it",
        "Before the call: the client",
        "After the call: the client",
        "The counts",
    ]


def test_the_server_runs_out_of_memory():
    interface = session("[in, out] node *root", fail_after=1)

    @interface.routine
    def f(call, root):
        root.next = call.new({"value": 1})

    story = tell(interface.try_call("f", {"root": {"value": 1}}))
    assert says(
        story,
        "It asks midl_user_allocate for 16 bytes and gets a null pointer.",
        "RPC_S_SERVER_OUT_OF_MEMORY",
    )


def test_faults_are_told_in_words():
    interface = session("[in, out] node *root")

    @interface.routine
    def f(call, root):
        call.free(root.next)
        call.free(root.next)

    story = tell(interface.try_call("f", {"root": {"value": 1, "next": {"value": 2}}}))
    assert says(
        story,
        "FAULT on the server (double free): the block at",
        "It frees root->next (at 0x400000",
        "with midl_user_free.",
    )


def test_private_storage_is_leaked():
    interface = session("[in, out] node *root")

    @interface.routine
    def f(call, root):
        root.next = call.new({"value": 2}, "private")

    story = tell(interface.try_call("f", {"root": {"value": 1, "next": None}}))
    assert says(story, "with an allocator of its own.")
    assert says(story, "does not fit what an allocator of the routine's own gave.")


SCENARIOS = Path(__file__).parent / "scenarios"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("rpcss-midl-user-leaks", "of its RpcSs environment; what midl_user_allocate gave is none of them."),
        (
            "leak-from-another-allocator",
            "3 bytes). The stub tries midl_user_free, which does not fit what the application's malloc gave.",
        ),
    ],
)
def test_a_block_that_is_sent_is_leaked_for_a_reason_of_its_own(name, why):
    (file,) = SCENARIOS.rglob(f"{name}.yaml")
    (outcome,) = Run(load_scenario(file)).outcomes()
    story = tell(outcome.call)
    assert says(story, why)
    assert not says(story, "No parameter leads there")


def test_the_stub_frees_in_the_middle_of_a_block():
    interface = session("[in, out] node *root")

    @interface.routine
    def f(call, root):
        root.next = call.new({"value": 2})
        space = interface.server.space
        slot = address_of(root) + 8
        space.set_pointer(slot, space.pointer_at(slot) + 4)

    story = tell(interface.try_call("f", {"root": {"value": 1, "next": None}}))
    assert says(story, "in the middle of a block, which frees nothing: only its start does.")


def test_what_goes_with_the_environment_is_counted():
    (file,) = SCENARIOS.rglob("rpcss-midl-user-leaks.yaml")
    (outcome,) = Run(load_scenario(file)).outcomes()
    assert says(
        tell(outcome.call),
        "server: 2 allocated, 0 freed, 1 released with the environment, 1 leaked",
        "Your routine finds its data in a block from RpcSsAllocate (1).",
    )


def test_a_client_pointer_to_freed_memory():
    interface = session("[in, out] node *root, [in] node *other")
    first = interface.try_call("f", {"root": {"value": 1, "next": {"value": 2}}, "other": {"value": 3}})
    place = first.roots["root"]
    space = interface.client.space
    inner = space.pointer_at(space.pointer_at(place.address) + 8)
    space.drop_block(inner)
    story = tell(
        interface.try_call(
            "f", {"root": place._replace(address=space.pointer_at(place.address)), "other": {"value": 3}}
        )
    )

    assert says(story, "DANGLING: root->next names storage that is not allocated.", "1784")


def test_what_a_routine_writes_to_its_own_parameter():
    interface = session("[in] long n, [in, out] node *root")
    from rpcmemkit.operations import Operations

    def routine(call):
        Operations(call.program, "routine").set(call.place("n"), 7)

    interface.set_routine("f", routine)
    assert says(
        tell(interface.try_call("f", {"n": 1, "root": {"value": 1}})),
        "It writes its own copy of a parameter.",
    )


def test_what_is_kept():
    story = stories("registry-dont-free")[0]

    assert says(story, "Kept on purpose, for later calls: ")


def test_an_rpcss_environment_is_released():
    assert says(stories("list-insert")[0], "The stub releases the whole RpcSs environment")


def test_the_inner_pointer_of_an_out_parameter_is_the_stubs():
    assert says(stories("forest-all-nodes")[0], "Your routine finds its data in the stub's own memory (1).")


def test_large_structures_are_cut():
    nested = None
    for value in range(500):
        nested = {"value": value, "next": nested}
    interface = session("[in, out] node *root")

    @interface.routine
    def f(call, root):
        root.next = None

    story = tell(interface.try_call("f", {"root": nested}))
    text = story.text()
    assert len(text.splitlines()) < 300
    assert "… 488 more" in text
    assert "… 966 more rows" in text
    assert says(story, "ORPHANED: root->next, ", "They are still yours to free")


def test_arrays_name_their_elements():
    head = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)]"
    interface = Session(
        f"{head} interface i {{ typedef struct {{ short a[4]; long z; }} s; void f([in, out] s *p, [in] long n, [in, out, size_is(n)] long *v); }}"
    )

    @interface.routine
    def f(call, p, n, v):
        v[0] = 7
        v[2] = 8
        p.a[3] = 9
        p.z = 1

    story = tell(interface.try_call("f", {"p": {"a": [1, 2, 3, 4], "z": 0}, "n": 3, "v": [1, 2, 3]}))
    assert says(story, "It writes v, v[2], p->a[3] and p->z.")


def test_plain_text_and_rich_say_the_same():
    (story,) = stories("tree-prune-and-graft")
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    console.print(story)
    words = console.file.getvalue().split()

    assert str(story) == story.text(100)
    for sentence in sentences(story):
        assert set(sentence.split()) <= set(words)


def test_the_counts_are_one_line():
    from rpcmemkit.audit import Audit

    call = session("[in] long n").try_call("f", {"n": 1})
    assert counts(Audit(call)) == (
        "client stub: 0 allocated, 0 freed, 0 orphaned; server: 0 allocated, 0 freed, 0 leaked"
    )


def test_a_narrow_table_continues_below():
    assert (
        table_text(("name", "text"), [("a", "one two three")], 14) == "name  text\na     one two\n      three"
    )
    assert table_text(None, [("a", "b")], 80) == "a  b"


def steps(text):
    """The stories of the steps of a scenario file: those between calls, and those of calls."""
    run = Run(parse_scenario(HEAD + textwrap.dedent(text), "f.yaml"))
    return [
        tell_client(each) if isinstance(each, ClientStep) else tell(each.call) for each in run.happenings()
    ]


HEAD = """\
scenario: steps
idl: |
  [uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)]
  interface i
  {
    typedef struct node { long value; struct node *next; } node;
    void f([in, out] node *root);
  }
acf: |
  [enable_allocate] interface i {}
"""
CALL = "arguments: {root: {value: 1, next: {value: 2, next: null}}}"


def test_what_the_client_does_between_calls_is_told_deed_by_deed():
    _, story = steps(f"""\
        steps:
        - call: f
          {CALL}
        - client:
          - {{set: root.value, to: 9}}
          - {{free: root.next}}
          - {{allocate: root.next, value: {{value: 3, next: null}}}}
        """)
    (section,) = story.sections
    told = [part.text for part in section.parts if part.tone != "rule"]
    assert (story.title, section.heading) == ("Between the calls", "What your application does")
    assert told == [
        "It writes root->value.",
        "It frees root->next (at 0x10028) with free.",
        "It allocates root->next (at 0x10040, 16 bytes) with midl_user_allocate.",
        "It writes root->next and root->next->value.",
    ]


def test_a_fault_of_the_client_ends_its_step():
    _, story = steps(f"""\
        steps:
        - call: f
          {CALL}
        - client:
          - {{free: root.next}}
          - {{free: root.next}}
          - {{set: root.value, to: 9}}
          expect: {{faults: [double free]}}
        """)
    told = [(part.text, part.tone) for part in story.sections[0].parts if part.tone != "rule"]
    assert [tone for _, tone in told] == ["", "bad", "bad"]
    assert told[1][0].startswith("FAULT on the client at root->next (double free): the block at 0x10028 was")
    assert told[2][0].startswith("The step ends with ERROR_INVALID_USER_BUFFER (1784): the rest of it is not")


def test_the_package_in_client_steps_and_the_names_given_to_its_blocks():
    first, second, nothing = steps("""\
        steps:
        - client:
          - {rpcss: RpcSmEnableAllocate}
          - {rpcss: RpcSmAllocate, size: 64, as: scratch}
        - client:
          - {rpcss: RpcSmFree, block: scratch}
          - {rpcss: RpcSmDisableAllocate}
        - client: []
        """)
    assert sentences(first)[:2] == [
        "It calls RpcSmEnableAllocate.",
        "It allocates scratch (at 0x10000, 64 bytes) with RpcSmAllocate.",
    ]
    assert sentences(second)[:3] == [
        "It marks scratch (at 0x10000) with RpcSmFree: freed when the environment ends.",
        "It frees scratch (at 0x10000) with RpcSmDisableAllocate.",
        "It calls RpcSmDisableAllocate.",
    ]
    assert sentences(nothing) == ["It changes nothing."]


def test_a_routine_whose_client_goes_away_and_whose_block_has_a_name():
    (story,) = steps(f"""\
        steps:
        - call: f
          {CALL}
          server:
          - {{rpcss: RpcSsAllocate, size: 64, as: scratch}}
          - {{disconnect: null}}
        """)
    (section,) = [each for each in story.sections if each.heading == "What your routine does"]
    assert [part.text for part in section.parts] == [
        "It allocates scratch (at 0x40000068, 64 bytes) with RpcSsAllocate.",
        "The client goes away: its handles are run down when this call has ended, no response reaches it.",
    ]


def test_a_procedure_without_a_routine_is_told_of():
    story = tell(session("[in] long n").try_call("f", {"n": 1}))
    assert says(story, "There is none: no routine is registered for f, so one that does nothing ran.")


def test_of_many_deeds_both_ends_are_told():
    many = "".join(
        f"          - {{set: root.value, to: {n}}}\n          - {{rpcss: RpcSmGetThreadHandle}}\n"
        for n in range(9)
    )
    _, story = steps(f"        steps:\n        - call: f\n          {CALL}\n        - client:\n{many}")
    assert sentences(story)[10] == "… 6 more"
    assert len([part for part in story.sections[0].parts if part.tone != "rule"]) == 13


@pytest.mark.parametrize(
    ("file", "allocator", "deallocator"),
    [
        ("scenarios/2-allocation/rpcss/rpcss-task-allocator", "CoTaskMemAlloc", "CoTaskMemFree"),
        ("conformance/wine/lookup-returned-tree", "midl_user_allocate", "midl_user_free"),
        ("scenarios/2-allocation/rpcss/rpcss-dce", "malloc", "free"),
    ],
)
def test_new_storage_names_the_pair_that_fits(file, allocator, deallocator):
    run = Run(load_scenario(Path(__file__).parent / f"{file}.yaml"))
    told = [" ".join(tell(outcome.call).text(100).split()) for outcome in run.outcomes()]

    new = next(text for text in told if "New: the client stub" in text)
    assert f"calls {allocator} " in new
    assert f"with {deallocator}." in new


@pytest.mark.parametrize(("osf", "allocator"), [(False, "midl_user_allocate"), (True, "malloc")])
def test_a_rule_is_told_with_the_allocator_that_was_called(osf, allocator):
    one = session("[in, out, ref] node *root", osf=osf)

    @one.routine
    def f(call, root):
        root.next = call.new({"value": 2, "next": None})

    told = tell(one.call("f", root={"value": 1, "next": None}))
    assert says(told, f"gets new storage from the client's {allocator}.")


def test_what_the_client_stub_frees_is_told():
    """A proxy frees what it replaces; the old blocks and the new ones are told apart by their addresses."""
    idl = (
        "[object, uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1803), pointer_default(unique)] interface IShop "
        "{ typedef long HRESULT; HRESULT Rename([in, out, string] wchar_t **name); }"
    )
    com = Session(idl)

    @com.routine
    def Rename(call, name):
        name[0] = None

    told = tell(com.call("Rename", name="ab"))

    assert says(told, "The client stub calls CoTaskMemFree once: *name (at ", "object-pointer-replaced: ")


def test_the_storage_of_a_result_has_a_name():
    made = session("", "struct node *")

    @made.routine
    def f(call):
        return call.new({"value": 1, "next": {"value": 2, "next": None}})

    told = tell(made.call("f"))

    assert says(told, "It allocates return (at ", "It allocates return->next (at ", "return->next (at ")


def test_every_reason_for_a_leak_and_every_deed_has_its_sentence():
    in_words_of_their_own = {
        EventKind.ALLOCATE,
        EventKind.WRITE,
        EventKind.RAISE,
        EventKind.RPCSS,
        EventKind.FAULT,
    }
    assert set(_WHY_LEAKED) == set(LEAKS)
    assert {*DEEDS, EventKind.DISCONNECT} == {*_DEEDS, *in_words_of_their_own}
