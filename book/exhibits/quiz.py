"""Questions whose answers are computed: a call is run, and the answer that states what happened is the right one.

A question file is YAML: a list of maps with ``id``, ``prompt``, ``property`` (a key of what ``rpcmemkit run --json``
prints, with dots for what lies inside: ``server_storage.root``) and ``answers``, four of them, each with ``text``,
``value`` (what the property would be if the answer were right), ``why`` and, when it can be wrong, ``misconception``: the
id of the belief it stands for. Nothing in the file says which is right. What is no call is asked about with a mapping:
``ask("smallest", {"blocks": len(...)})``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml

from rpcmemkit.call import Call
from rpcmemkit.errors import UsageError
from rpcmemkit.scenario.run import Outcome

ANSWERS = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: what it says, whether the call bears it out, and why or why not."""

    text: str
    right: bool
    why: str

    @property
    def verdict(self) -> str:
        return "Right." if self.right else "No."


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a call that has been made, with its answers judged."""

    id: str
    prompt: str
    answers: tuple[Answer, ...]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self.html()}

    def __str__(self) -> str:
        lines = [self.prompt, *(f"  {mark}) {a.text}" for mark, a in zip("abcd", self.answers, strict=True))]
        return "\n".join(lines)

    __repr__ = __str__

    def html(self) -> str:
        """Return the question as HTML that needs no script: each answer unfolds to its verdict."""
        answers = "".join(
            f"<li><details><summary>{escape(a.text)}</summary>"
            f'<p class="quiz-{"right" if a.right else "wrong"}"><strong>{a.verdict}</strong> {escape(a.why)}</p>'
            "</details></li>"
            for a in self.answers
        )
        name = f"quiz-{self.id}"
        return (
            f'<section class="quiz" id="{name}" aria-labelledby="{name}-prompt">'
            f'<p id="{name}-prompt"><strong>Predict.</strong> {escape(self.prompt)}</p>'
            f"<ol>{answers}</ol></section>"
        )


class Quiz:
    """The questions of one file."""

    def __init__(self, path: str | Path) -> None:
        """Read a file of questions.

        Raises:
            UsageError: there is no such file, as where a downloaded chapter runs by itself.
        """
        file = Path(path)
        if not file.is_file():
            raise UsageError(
                f"no file {path}: the questions lie beside the chapters, in the folder book/ of the project; get the"
                " project and open the chapter there"
            )
        entries = yaml.safe_load(file.read_text(encoding="utf-8"))
        self.questions: dict[str, Mapping[str, Any]] = {entry["id"]: entry for entry in entries}

    def ask(self, id_: str, subject: Call | Mapping[str, Any]) -> Question:
        """Return a question judged by a call, or by anything else that was observed, by its names.

        Raises:
            UsageError: there is no such question, or not exactly one of its four answers is what happened.
        """
        if id_ not in self.questions:
            raise UsageError(f"no question {id_!r}; there are: {', '.join(self.questions)}")
        entry = self.questions[id_]
        observed = subject if isinstance(subject, Mapping) else Outcome(subject).observed()
        happened = look_up(observed, entry["property"])
        answers = tuple(
            Answer(str(a["text"]), a["value"] == happened, str(a["why"])) for a in entry["answers"]
        )
        right = sum(answer.right for answer in answers)
        if right != 1 or len(answers) != ANSWERS:
            raise UsageError(
                f"question {id_}: {right} of {len(answers)} answers say that {entry['property']} is {happened!r};"
                f" one of {ANSWERS} must"
            )
        return Question(id_, entry["prompt"], answers)


def look_up(observed: Mapping[str, Any], key: str) -> Any:
    """Return the observation at a dotted key; the part after ``server_storage.`` is a path and stays in one piece.

    Raises:
        UsageError: nothing was observed there.
    """
    first, _, rest = key.partition(".")
    value: Any = observed.get(first)
    parts = [rest] if first == "server_storage" and rest else [part for part in rest.split(".") if part]
    for part in parts:
        if isinstance(value, Mapping) and "$value" in value:
            value = value["$value"]
        if not isinstance(value, Mapping) or part not in value:
            raise UsageError(f"nothing was observed at {key!r}")
        value = value[part]
    return value
