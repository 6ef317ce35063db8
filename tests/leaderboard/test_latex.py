"""Tables as LaTeX: escaped, as wide as a page, with what is said of them in the caption."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mirbench.leaderboard.chosen_rows import pivot
from mirbench.leaderboard.latex import escaped, latex, latex_pivot
from tests.leaderboard.test_formats import SPECIAL, board, row, three


def printed(text: str) -> str:
    """What LaTeX prints of a text of escapes, read back by rules of its own; anything else special is an error."""
    words = {
        "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textbar": "|", "textless": "<",
        "textgreater": ">", "textemdash": "—", "textendash": "–", "ldots": "…",
    }  # fmt: skip
    pieces = re.compile(r"\\([a-z]+)\{\}|\\([&%$#_{}])|\$\\(pm|times)\$|\{([\[\]*])\}|(-)\{\}(?=-)|([^\\{}$&%#_~^])")
    out, at = "", 0
    while at < len(text):
        found = pieces.match(text, at)
        assert found, text[at:]
        word, special, sign, fenced, dash, plain = found.groups()
        out += words[word] if word else {"pm": "±", "times": "×"}[sign] if sign else special or fenced or dash or plain
        at = found.end()
    return out


@pytest.mark.parametrize("text", [SPECIAL, "[x]*", "0.9 ± 0.1 × 3 — 2–3 …", "---", "100 % {\\", "{}", "ü"])
def test_latex_prints_what_it_is_given(text: str) -> None:
    assert printed(escaped(text)) == text


def body(text: str) -> list[list[str]]:
    """Cells of the lines of a LaTeX table; the head comes first."""
    inside = text.split(r"\begin{tabular}")[1].split(r"\end{tabular}")[0]
    lines = [line for line in inside.splitlines() if line.endswith(r"\\")]
    return [re.split(r"(?<!\\)&", line.removesuffix(r"\\")) for line in lines]


def test_latex_has_a_cell_a_column_in_each_line_whatever_names_hold() -> None:
    text = latex([board(row(SPECIAL), row("&"), row("\\"))])
    assert {len(line) for line in body(text)} == {5}
    assert printed(body(text)[1][0].strip().replace(r"\allowbreak{}", "")) == f"{SPECIAL} + tiny"


def test_latex_braces_are_balanced_whatever_names_hold() -> None:
    facts = {"flags": (f"source trained on {SPECIAL}",)}
    text = re.sub(r"\\[{}\\]", "", latex([board(row("}" + SPECIAL, **facts), title="}{_" + SPECIAL)]))
    depth = 0
    for letter in text:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0


def test_latex_is_a_booktabs_table_with_caption_and_label() -> None:
    text = latex([board(row("a"), title="tones (version 2) [a_b]")])
    parts = [
        r"\begin{table}",
        r"\toprule",
        r"\midrule",
        r"\bottomrule",
        r"\end{table}",
        r"\label{tab:tones-version-2-a-b}",
    ]
    assert [part for part in parts if text.count(part) != 1] == []
    assert r"\caption{tones (version 2) {[}a\_b{]}: mean" in text


LONG_NAMES = {
    "words": "ids-nmr-of-the-municipal-orchestra (adapter=low-rank, depth=4, learning rate=0.0001, hidden=512)",
    "underscores": "my_very_own_method_of_the_municipal_orchestra_with_low_rank_adapters_and_more",
    "one word": "x" * 90,
}


@pytest.mark.parametrize("name", LONG_NAMES.values(), ids=LONG_NAMES)
def test_latex_breaks_long_names_and_keeps_every_letter(name: str) -> None:
    text = latex([board(row(name), row("b"))])
    assert re.search(r"\\begin\{tabular\}\{>\{\\raggedright\\arraybackslash\}p\{0\.\d\d\\linewidth\}r+\}", text)
    assert text.startswith("% Needs \\usepackage{array,booktabs}.\n")
    assert printed(body(text)[1][0].strip().replace(r"\allowbreak{}", "")) == f"{name} + tiny"


def test_latex_breaks_no_command_of_a_footnote() -> None:
    text = latex([board(row(LONG_NAMES["words"], flags=("only fold 0 of 5",)), row("b"))])
    cell = body(text)[1][0].strip()
    assert cell.endswith(r"\textsuperscript{a}")
    assert r"\allowbreak" in cell


def test_latex_of_short_names_breaks_nothing() -> None:
    text = latex([three()], ["system", "accuracy", "trainable"])
    assert text.startswith("% Needs \\usepackage{booktabs}.\n")
    assert r"\begin{tabular}{lrr}" in text
    assert "allowbreak" not in text
    assert r"\small" not in text


def test_latex_of_more_rows_than_a_page_says_how_to_get_fewer() -> None:
    rows = [row(f"m{k}", 0.9 - k / 1000) for k in range(60)]
    assert "--rows 20 gives the first" in latex([board(*rows)])
    assert "--rows" not in latex([board(*rows[:20])])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_is_no_wider_than_a_page(tmp_path: Path) -> None:
    boards = [board(row(name), row("b"), title=f"t{k}") for k, name in enumerate([*LONG_NAMES.values(), "short"])]
    several = [replace(each, title=f"t{k}") for k, each in enumerate(boards[:3])]
    tables = "\n".join([latex(boards), latex_pivot([pivot(several)])])
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{array,booktabs}\begin{document}"
    (tmp_path / "tables.tex").write_text(f"{head}\n{tables}\n\\end{{document}}\n")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert [line for line in done.stdout.splitlines() if "Overfull" in line] == []


def test_latex_shows_what_fits_a_page_unless_more_is_asked_for() -> None:
    (head, *_) = body(latex([board(row("a"))]))
    assert [cell.strip() for cell in head] == [
        "method + source",
        "accuracy",
        r"95 \% interval",
        "macro-F1",
        "trainable",
    ]
    assert len(body(latex([board(row("a"))], ["rank", "system", "metrics"]))[0]) > 3


def test_latex_marks_the_first_metric_alone() -> None:
    text = latex([three()])
    found = [[mark in line[1] for mark in (r"\textbf{", r"\underline{")] for line in body(text)[1:]]
    assert found == [[True, False], [False, True], [False, False]]
    assert (text.count(r"\textbf"), text.count(r"\underline")) == (1, 1)


def test_latex_says_flags_in_the_caption() -> None:
    text = latex([board(row("a", flags=("busy",)), row("b", flags=("seen", "busy")), row("c"))])
    marks = [re.findall(r"superscript\{([\w,]+)\}", line[0]) for line in body(text)[1:]]
    assert (marks, r"\textsuperscript{a}~busy. \textsuperscript{b}~seen." in text) == ([["a"], ["b,a"], []], True)


def test_latex_of_an_excerpt_says_so() -> None:
    assert "An excerpt: its numbers are optimistic" in latex([board(row("a"), standing="excerpt")])


def test_latex_begins_no_line_with_what_ends_the_one_before() -> None:
    """After the end of a line, ``\\\\``, an asterisk or a bracket would be read as its option."""
    text = latex([board(row("[5mm]"), row("*"))], ["system"])
    assert [line[0].strip()[0] for line in body(text)[1:]] == ["{", "{"]
