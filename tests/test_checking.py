"""`attest check` as a user runs it, on the starter shelf: three kinds of drafts, formats, exit codes, faults."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import rest_of

from rag import Assistant, cli
from rag.types import Verdict

ROOT = Path(__file__).parent.parent
MARKDOWN = """---
title: Linear attention in short
bibliography: refs.bib
---

# Related work

LoLCATs trains just 0.2% of the parameters [@zhang].
Liger turns pretrained LLMs into gated
linear recurrent models with no additional parameters (Lan et al., 2025). SEA achieves better perplexity than
OPT-1.3B with about half its memory [@qin, p. 3].

- Attention is all you need [@vaswani].

Infini-gram is trained on 1.4 trillion tokens.
"""
LATEX = r"""\documentclass{article}
\newcommand{\ours}{TextGrad\xspace}
\begin{document}
\section{Related work}
% \cite{zhang} is left for later. Nobody sees this.
\ours lifted GPT-4o on Google-Proof Question Answering to 55\% zero-shot
accuracy, up from 51\%~\citep[Table~2]{yuk}. \citet{qin} trace the gap to two faults, unbounded \emph{gradients}
and attention dilution.
\begin{figure}\caption{A caption that is no sentence of the text.}\end{figure}
\bibliography{refs}
\end{document}
"""
NUMBERED = """Locally typical sampling produces fewer degenerate repetitions.[1] JRT-Prompt gains 17 points
over recurrent LMs [2, 3]. Diffusion models are slow [4]. Scores are in [0, 1] as ever.

## References

[1] C. Meister, T. Pimentel, and R. Cotterell, “Locally typical sampling,” TACL, 2023.
[2] Arora, S., et al. (2024). Just read twice: Closing the recall-gap for recurrent language models.
[3] Lexinvariant Language Models, https://arxiv.org/abs/2305.16349
[4] J. Ho. Denoising diffusion probabilistic models. 2020.
"""
BIB = r"""
@article{zhang, title={{LoLCATs}: On Low-Rank Linearizing of Large Language Models}, author={Zhang, Michael and Ré, C.}, year=2024}
@misc{lan, title={Liger: Linearizing large language models to gated recurrent structures}, author={Disen Lan and Weigao Sun}, year={2025}}
@misc{qin, title = "The devil in linear transformers", author = "Zhen Qin", year = "2022"}
@misc{vaswani, title={Attention is all you need}, author={Vaswani, Ashish and others}, year={2017}}
@misc{yuk, title={TextGrad: Automatic ``Differentiation'' via Text}, author={Y{\"u}ksekg{\"o}n{\"u}l, Mert}, year={2024}}
"""  # fmt: skip


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("starter") / "shelf"
    with Assistant.open(folder) as assistant:
        assistant.ingest([ROOT / "eval" / "datasets" / "papers.jsonl"])
    return folder


@pytest.fixture
def drafts(tmp_path):
    for name, text in (("a.md", MARKDOWN), ("b.tex", LATEX), ("c.md", NUMBERED), ("refs.bib", BIB)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def check(shelf, drafts, capsys):
    """The exit code of `attest check`, and what it printed on both streams."""

    def run(name, *options):
        draft = name if name == "-" else str(drafts / name)
        try:
            code = cli.main(["check", draft, "--shelf", str(shelf), *map(str, options)])
        except SystemExit as stopped:
            code = stopped.code
        return code, *capsys.readouterr()

    return run


def rows(check, name, *options):
    _, out, _ = check(name, "--json", *options)
    return json.loads(out)


def test_a_markdown_draft_with_a_bibliography(check, drafts):
    found = rows(check, "a.md")
    assert [(row["verdict"], [cited["marker"] for cited in row["citations"]]) for row in found] == [
        ("supported", ["@zhang"]),
        ("supported", ["Lan et al., 2025"]),
        ("unsupported", ["@qin"]),
        ("unchecked", ["@vaswani"]),
        ("supported", []),
    ]
    assert [row["paper"] and row["paper"]["title"].split(":")[0] for row in found] == [
        "LoLCATs", "Liger", "The Devil in Linear Transformer", None, "Infini-gram",
    ]  # fmt: skip
    assert found[2]["reason"].startswith("@qin does not say this; “SEA: Sparse Linear Attention")
    assert found[2]["suggestion"]["paper"]["title"].startswith("SEA:")
    assert found[3]["reason"].startswith("@vaswani is not on the shelf: Vaswani")
    assert [row["cited"] for row in found] == [True] * 4 + [False]
    assert [row["line"] for row in found] == [8, 9, 10, 13, 15]
    for row in found:
        assert MARKDOWN[row["start"] : row["end"]].split()[0] == row["sentence"].split()[0]


def test_a_latex_draft(check):
    found = rows(check, "b.tex")
    assert [(row["verdict"], row["line"], row["sentence"].split()[0]) for row in found] == [
        ("supported", 6, "TextGrad"),
        ("supported", 7, "The"),
    ]
    assert LATEX[found[0]["start"] : found[0]["end"]].startswith("\\ours lifted")
    assert LATEX[found[1]["start"] : found[1]["end"]].startswith("\\citet{qin} trace")
    assert LATEX[found[1]["start"] : found[1]["end"]].endswith("dilution.")


def test_a_draft_with_its_own_reference_list(check):
    found = rows(check, "c.md")
    assert [(row["verdict"], [c["paper"] and c["paper"]["title"] for c in row["citations"]]) for row in found[:3]] == [
        ("supported", ["Locally Typical Sampling"]),
        ("unsupported", ["Just read twice: closing the recall gap for recurrent language models", "Lexinvariant Language Models"]),
        ("unchecked", [None]),
    ]  # fmt: skip
    assert "17" in found[1]["reason"]
    assert found[3]["sentence"] == "Scores are in [0, 1] as ever."
    assert len(found) == 4


@pytest.mark.parametrize(
    ("name", "fail_on", "code"),
    [
        ("a.md", [], 0),
        ("a.md", ["unsupported"], 1),
        ("a.md", ["contradicted"], 0),
        ("a.md", ["contradicted,unchecked"], 1),
        ("a.md", ["contradicted", "unsupported"], 1),
        ("b.tex", ["unsupported, contradicted", "unchecked"], 0),
        ("a.md", ["supported"], 2),
        ("a.md", [""], 2),
    ],
)
def test_exit_codes_for_a_paper_repository(check, name, fail_on, code):
    options = [option for verdict in fail_on for option in ("--fail-on", verdict)]
    assert check(name, *options)[0] == code


def test_unsupported_takes_in_contradicted():
    from rag.cli import _verdicts

    assert set(_verdicts("unsupported")) == {Verdict.UNSUPPORTED, Verdict.CONTRADICTED}
    assert set(_verdicts("unchecked")) == {Verdict.UNCHECKED}


def test_the_terminal_shows_marks_words_and_counts(check):
    code, out, err = check("a.md")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    said = " ".join(out.split())
    assert "✓ supported line 8: LoLCATs trains just 0.2% of the parameters [@zhang]" in said
    assert "@zhang LoLCATs: On Low-Rank Linearizing of Large Language Models: “LoLCATs trains just 0.2%" in said
    assert "suggested: SEA: Sparse Linear Attention with Estimated Attention Mask: “SEA instead" in said
    assert "suggested: Infini-gram" in said
    assert out.endswith("\n\n0 contradicted, 1 unsupported, 1 unchecked; 3 of 5 sentences supported by the shelf\n")


def test_markdown_is_a_list_that_obeys_nothing(check, drafts):
    (drafts / "d.md").write_text("Owls <b>sleep</b> in &lt;i&gt; `barns` | a_b ![x](y) #1.", encoding="utf-8")
    _, out, _ = check("d.md", "--format", "markdown")
    assert out.startswith(
        "**0 contradicted, 1 unsupported, 0 unchecked; 0 of 1 sentences supported by the shelf**\n\n- ? "
    )
    assert not set("<`") & set(out.replace("\\`", ""))
    assert "a\\_b" in out


def test_only_what_is_cited(check):
    assert [row["cited"] for row in rows(check, "a.md", "--cited-only")] == [True] * 4
    assert len(rows(check, "c.md", "--cited-only")) == 3


def test_standard_input_and_a_bibliography_by_name(check, drafts, monkeypatch):
    def typed(text):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    typed(LATEX)
    found = rows(check, "-", "--bib", drafts / "refs.bib")
    assert [len(row["citations"]) for row in found] == [1, 1]
    typed("Owls sleep in barns [3], as \\cite{x} says.")
    _, out, err = check("-", "--json")
    assert "nothing tells what [3], x means" in err
    assert json.loads(out)[0]["citations"] == []


def test_bibliographies_are_found_beside_the_draft(check, drafts):
    (drafts / "e.md").write_text("LoLCATs trains just 0.2% of the parameters [@zhang].", encoding="utf-8")
    (drafts / "broken.bib").write_bytes(b"@a{\xff}")
    _, out, err = check("e.md", "--json")
    assert json.loads(out)[0]["citations"][0]["verdict"] == "supported"
    assert "left out" in err
    assert "broken.bib:1: this is not UTF-8" in err
    (drafts / "f.tex").write_text("Owls sleep in barns \\cite{zhang}.\n\\bibliography{gone}", encoding="utf-8")
    assert "gone.bib, which the draft names, is not there" in check("f.tex")[2]


@pytest.mark.parametrize(
    ("content", "options", "code", "says"),
    [
        (None, [], 2, "cannot be read: No such file"),
        (b"\n\n\xff\xfe", [], 2, "line 3 is not UTF-8"),
        (b" \r\n\t", [], 2, "is empty"),
        (b"\xef\xbb\xbf", [], 2, "is empty"),
        (b"Owls sleep in barns.", ["--bib", "/nonexistent.bib"], 2, "/nonexistent.bib cannot be read"),
        (b"# Only a heading", [], 3, ""),
    ],
)
def test_faults_are_told_in_words(check, drafts, content, options, code, says):
    if content is not None:
        (drafts / "g.md").write_bytes(content)
    done, out, err = check("g.md", *options)
    assert done == code
    assert says in err
    assert code == 2 or "has no sentence to check" in out


def test_marks_of_windows_files_shift_no_offset(check, drafts):
    text = "\ufeff# Head\r\n\r\nOwls sleep in barns at noon.\r\n"
    (drafts / "h.md").write_bytes(text.encode())
    (row,) = rows(check, "h.md")
    read = (drafts / "h.md").read_text(encoding="utf-8")
    assert (read[row["start"] : row["end"]], row["line"]) == ("Owls sleep in barns at noon.", 3)


def test_an_empty_shelf_is_said(tmp_path, capsys):
    from fakes import open_shelf

    open_shelf(tmp_path, []).close()
    (tmp_path / "a.md").write_text("Owls sleep in barns.", encoding="utf-8")
    assert cli.main(["check", str(tmp_path / "a.md"), "--shelf", str(tmp_path / "shelf")]) == 4
    assert "is empty" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of Unix")
def test_on_a_terminal_there_are_colours_and_a_way_out(shelf, drafts):
    import fcntl
    import pty
    import struct
    import termios

    (drafts / "long.md").write_text("LoLCATs trains 0.2% of the parameters. " * 5_000, encoding="utf-8")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))  # a bar needs room
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ATTEST_L", "OPENAI_"))}
    with subprocess.Popen(
        [sys.executable, "-m", "rag", "check", str(drafts / "long.md"), "--shelf", str(shelf)],
        stdout=theirs, stderr=theirs, env={**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}, start_new_session=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        text, begun = b"", time.monotonic()
        while b"/5000 [" not in text and time.monotonic() - begun < 60:
            text += os.read(ours, 10_000)
        process.send_signal(signal.SIGINT)
        text += rest_of(ours)
    os.close(ours)
    assert process.returncode == 130
    assert "\x1b[32m✓ supported\x1b[0m" in text.decode()
    assert "check:" in text.decode()
    assert "attest: stopped" in text.decode()
    assert "Traceback" not in text.decode()
