"""Sentences of drafts: what is prose, where it stands, what it says without its citations."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.verify.prose import sentences
from rag.verify.references import read_list


def prose(text, **more):
    return [text[item.start : item.end] for item in sentences(text, **more)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One two three. Four five six.", ["One two three.", "Four five six."]),
        ("One two\nthree four.", ["One two\nthree four."]),
        ("One two three\r\n\r\nFour five six", ["One two three", "Four five six"]),
        ("One two three\n# Four five six\nSeven eight nine", ["One two three", "Seven eight nine"]),
        ("- one two three\n- four five six\n  and seven", ["one two three", "four five six\n  and seven"]),
        ("1. one two three\n12) four five six", ["one two three", "four five six"]),
        ("> one two three.\n>\n> four five six.", ["one two three.", "four five six."]),
        ("one two three\n```\nfour five six\n```\nseven eight nine", ["one two three", "seven eight nine"]),
        ("```\nnever closed again here", []),
        ("One two. Three four five.", ["Three four five."]),
        ("2023 is the year of it", ["2023 is the year of it"]),
        ("-5 degrees is too cold", ["-5 degrees is too cold"]),
        ("---\ntitle: one two three four\n---\n\nFive six seven.", ["Five six seven."]),
        ("Five six <!-- one two. Three\nfour five. --> seven.", ["Five six <!-- one two. Three\nfour five. --> seven."]),
        ("<!-- one two three.\n\nFour five six. -->\n\nSeven eight nine.", ["Seven eight nine."]),
        ("One two three.[1] Four five six. [2] Seven eight nine.", ["One two three.[1]", "Four five six. [2]", "Seven eight nine."]),
        ("One two three. [1] says four five.", ["One two three.", "[1] says four five."]),
        ("One [@doe, p. 3] two three.", ["One [@doe, p. 3] two three."]),
        ("One two (see Doe et al., 2020, p. 3) three.", ["One two (see Doe et al., 2020, p. 3) three."]),
    ],
)  # fmt: skip
def test_sentences_of_markdown(text, expected):
    assert prose(text) == expected


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("One \\emph{two} \\textbf{three}. Four~five six\\%.", ["One two three.", "Four five six%."]),
        ("One two % hidden. Here\nthree four.", ["One two three four."]),
        ("One two\n% a comment of its own\nthree four.", ["One two three four."]),
        ("One two three % end\n\nFour five six", ["One two three", "Four five six"]),
        ("\\section{One two three}\\label{x} Four five six.", ["Four five six."]),
        ("\\begin{itemize}\\item One two three\n\\item[x] four five six\\end{itemize}", ["One two three", "four five six"]),
        ("One two\\begin{equation}a+b. C d e\\end{equation}three four.", ["One two three four."]),
        ("\\begin{figure}\\begin{figure}\\end{figure}\\caption{a b c d}\\end{figure}One two three.", ["One two three."]),
        ("One \\url{http://x.y} two three\\footnote{Not {of} this.} four.", ["One two three four."]),
        ("G{\\\"o}del and Erd\\H{o}s and Fran\\c{c}ois \\o re", ["Gödel and Erdős and François ø re"]),
        ("One $2.34\\times$ two $O(n)$ three", ["One 2.34× two O(n) three"]),
        ("Price is \\$5 and \\$6 a piece", ["Price is $5 and $6 a piece"]),
        ("\\newcommand{\\us}{Marmot\\xspace}\\us{} is \\href{http://a}{a rodent} --- quite", ["Marmot is a rodent — quite"]),
        ("a b c \\begin{document} One two three. \\end{document} d e f", ["One two three."]),
        ("\\verb|x_y| is ``quoted'' here", ['x_y is "quoted" here']),
        ("One two three \\unknown[x]{four}", ["One two three [x]four"]),
        ("$ never closed one two", ["$ never closed one two"]),
        ("\\begin{verbatim}\nnever closed one two", []),
        ("\\emph{never closed one two", ["never closed one two"]),
    ],
)  # fmt: skip
def test_sentences_of_latex(text, claims):
    assert [item.claim for item in sentences(text, tex=True)] == claims


@pytest.mark.parametrize(
    ("text", "claim", "keys"),
    [
        ("Owls sleep well [1].", "Owls sleep well.", ["[1]"]),
        ("Owls sleep well [1], [3]–[5] and [7].", "Owls sleep well.", ["[1]", "[3]", "[4]", "[5]", "[7]"]),
        ("[1] show that owls sleep well.", "The authors show that owls sleep well.", ["[1]"]),
        ("As shown in [1], owls sleep well.", "owls sleep well.", ["[1]"]),
        ("In [1], the authors see owls.", "The authors see owls.", ["[1]"]),
        ("Owls sleep well, as reported by [1].", "Owls sleep well.", ["[1]"]),
        ("Owls sleep well (see [1]; also [2]).", "Owls sleep well.", ["[1]", "[2]"]),
        ("Owl et al. [1] show much sleep.", "The authors show much sleep.", ["[1]"]),
        ("Owl et al. (2020) show much sleep.", "The authors show much sleep.", ["Owl et al., 2020"]),
        ("\\citet{a} and \\citet{b} show much sleep.", "The authors show much sleep.", ["a", "b"]),
        (
            "Owls~(e.g., \\cite{a}) sleep well, as Owl \\etal~\\cite{b} say.",
            "Owls sleep well, as the authors say.",
            ["a", "b"],
        ),
        ("\\citeauthor{a}~(\\citeyear{a}) show much sleep.", "The authors show much sleep.", ["a"]),
        ("The work of \\citet{a} shows sleep.", "The work of the authors shows sleep.", ["a"]),
        ("Owls of [Wisconsin](http://x.y) sleep[^1].", "Owls of Wisconsin sleep.", []),
        ("Owls sleep well [[1]](#ref1).", "Owls sleep well.", ["[1]"]),
        ("**Owls** of `Ohio` sleep 5*3 times.", "Owls of Ohio sleep 5*3 times.", []),
        ("Owls sleep well in [0, 1] and [2, 1].", "Owls sleep well in [0, 1] and [2, 1].", ["[2]", "[1]"]),
    ],
)
def test_claims_without_their_citations(text, claim, keys):
    found = list(sentences(text, tex="\\" in text))
    if "[2, 1]" in text:  # an interval turned round is a list of two; a zero is no number of an entry
        assert found[0].claim == "Owls sleep well in [0, 1] and."
    else:
        assert [item.claim for item in found] == [claim]
    assert [key.shown for key in found[0].keys] == keys


def test_lines_and_written_words():
    found = list(sentences("# Head\n\nOwls sleep in barns.[1]\nMice do *not* [2]\n\n\nBees sort pollen [@b]."))
    assert [(item.line, item.written) for item in found] == [
        (3, "Owls sleep in barns [1]."), (4, "Mice do not [2]"), (7, "Bees sort pollen [@b]."),
    ]  # fmt: skip


def test_a_footnote_is_no_prose_but_what_it_cites_counts():
    (found,) = sentences("Owls sleep in barns.\\footnote{See \\citet[p.~3]{gu}. So it is.}", tex=True)
    assert (found.claim, [key.shown for key in found.keys]) == ("Owls sleep in barns.", ["gu"])


MARKDOWN = st.sampled_from(
    ["Owls sleep in barns. ", "- one two three", "# head of it", "```", "", "> a b c d", "===", "a b", "[1] Title of it",
     "## References", "Owl et al. (2020) sleep", "see [1, 3-5]. Next is", "<!--", "-->", "*a b* c", "[@k] a b c", "\\cite{a}"]
)  # fmt: skip
LATEX = st.sampled_from(
    ["Owls sleep in barns. ", "\\emph{", "}", "%", "\\begin{figure}", "\\end{figure}", "\\item ", "$", "\\cite[p. 3]{a,b}",
     "\\begin{document}", "\\end{document}", "\n", "\n\n", "\\'e", "\\section{a b}", "\\[", "\\]", "\\footnote{\\cite{x}", "~", "\\",
     "\\begin{thebibliography}{9}", "\\bibitem{a} T.", "\\end{thebibliography}", "\\verb|", "\\verb", "\\newcommand{\\x}{a b}", "\\x", "{", "["]
)  # fmt: skip


@given(st.lists(MARKDOWN | st.text(max_size=30)).map("\n".join))
def test_sentences_of_any_text_are_in_order_and_apart(text):
    check(text, False)


@given(st.lists(LATEX | st.text(max_size=12)).map("".join))
def test_sentences_of_any_latex_are_in_order_and_apart(text):
    check(text, True)


@given(st.lists(st.sampled_from(["Owls sleep in barns.", "Bees sort *pollen* by [2]."]), min_size=1, max_size=4))
def test_a_sentence_is_found_wherever_it_stands(parts):
    text = "% c\n".join(f"\\emph{{Then}} {part}\n" for part in parts)
    found = [item for item in sentences(text, tex=True) if item.claim.split()[-1] in ("barns.", "*pollen*.")]
    assert len(found) == len(parts)
    for item, part in zip(found, parts, strict=True):
        assert text[item.start : item.end].endswith(part)


def check(text, tex):
    _, parts = read_list(text)
    at = 0
    for item in sentences(text, tex=tex, without=parts):
        assert at <= item.start < item.end <= len(text)
        assert text[item.start : item.end] == text[item.start : item.end].strip()
        assert item.line == text.count("\n", 0, item.start) + 1
        assert not re.search("[\ue000-\uf8ff]", item.claim + item.written)
        assert not any(start < item.end and item.start < stop for start, stop in parts)
        at = item.end


@pytest.mark.parametrize("tex", [False, True])
@pytest.mark.parametrize(
    "piece", ["(", "[", "\\cite{", "A a, ", "Aa et al. (", "[1, ", "@a", "*", "{", "$", "\\begin{x}", "<a ", "a\n", "van ", "[1]. "]
)  # fmt: skip
def test_long_rows_of_one_thing_take_no_longer_than_others(piece, tex):
    begun = time.perf_counter()
    list(sentences(piece * 3_000, tex=tex))
    read_list(piece * 3_000)
    assert time.perf_counter() - begun < 10
