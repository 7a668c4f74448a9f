"""Citations as people write them, and what only looks like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.verify.markers import find_markers

# What entries are there; everything else is told only by its form.
ENTRIES = {"VSP+17", "key", "^note", ("Marmot", "2023"), ("Owl", "Doe", "2020"), ("Doe", "2019")}


def known(key):
    return (key.label or (*key.surnames, key.year[:4])) in ENTRIES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x [1] y", [("[1]", ["[1]"], False)]),
        ("[1, 3]", [("[1, 3]", ["[1]", "[3]"], False)]),
        ("[1-3; 7]", [("[1-3; 7]", ["[1]", "[2]", "[3]", "[7]"], False)]),
        ("[2–4]", [("[2–4]", ["[2]", "[3]", "[4]"], False)]),
        ("[1]–[3]", [("[1]–[3]", ["[1]", "[2]", "[3]"], False)]),
        ("[see 3, p. 12]", [("[see 3, p. 12]", ["[3]"], False)]),
        ("[0, 1]", []),
        ("[3-1]", []),
        ("[1-900]", []),
        ("[sic] and [our words]", []),
        ("[VSP+17]", [("[VSP+17]", ["[VSP+17]"], False)]),
        ("[VSP+17, nobody]", []),
        ("[^note] [^remark]", [("[^note]", ["[^note]"], False), ("[^remark]", [], False)]),
        ("\\cite{a, b}", [("\\cite{a, b}", ["a", "b"], False)]),
        ("\\citet[p.~3]{a}", [("\\citet[p.~3]{a}", ["a"], True)]),
        ("\\citep[see][ch. 2]{a}", [("\\citep[see][ch. 2]{a}", ["a"], False)]),
        ("\\textcite*{a}\\parencite{b}", [("\\textcite*{a}", ["a"], True), ("\\parencite{b}", ["b"], False)]),
        ("\\nocite{a} \\citestyle{b} \\ref{c}", []),
        ("[@key; see @b:2020, pp. 3-5; -@c]", [("[@key; see @b:2020, pp. 3-5; -@c]", ["@key", "@b:2020", "@c"], False)]),
        ("@key says; me@key.org and @twitter do not", [("@key", ["@key"], True)]),
        ("@{key} [p. 3] says", [("@{key} [p. 3]", ["@key"], True)]),
        ("(Smith et al., 2023)", [("(Smith et al., 2023)", ["Smith et al., 2023"], False)]),
        (
            "(see Smith & Doe 2020a,b; van der Berg, 2019, p. 3)",
            [
                (
                    "(see Smith & Doe 2020a,b; van der Berg, 2019, p. 3)",
                    ["Smith and Doe, 2020a", "Smith and Doe, 2020b", "van der Berg, 2019"],
                    False,
                )
            ],
        ),
        ("Smith et al. (2023) say", [("Smith et al. (2023)", ["Smith et al., 2023"], True)]),
        ("Smith et al.'s (2023) owl", [("Smith et al.'s (2023)", ["Smith et al., 2023"], True)]),
        ("Recently, Owl and Doe (2020) say", [("Owl and Doe (2020)", ["Owl and Doe, 2020"], True)]),
        ("Marmot (2023) says", [("Marmot (2023)", ["Marmot, 2023"], True)]),
        ("ImageNet and Doe (2019)", [("Doe (2019)", ["Doe, 2019"], True)]),
        ("ImageNet (2009), COCO and VOC (2014), in May (2020)", []),
        ("(May 2020) (Figure 2019) (NeurIPS, 2020) (in 2020) (Smith, who died in 2020)", []),
        ("[Smith et al., 2023; Doe, 2019]", [("[Smith et al., 2023; Doe, 2019]", ["Smith et al., 2023", "Doe, 2019"], False)]),
        ("(so it is [1])", [("[1]", ["[1]"], False)]),
    ],
)  # fmt: skip
def test_markers(text, expected):
    found = list(find_markers(text, known))
    assert [(text[m.start : m.end], [key.shown for key in m.keys], m.textual) for m in found] == expected


PIECES = st.sampled_from(
    ["[", "]", "(", ")", "1", ",", "-", "@key", "\\cite{", "}", "Smith", " et al.", ", 2023", " and ", "^", ";"]
)


@given(st.lists(PIECES | st.text(max_size=5)).map("".join))
def test_markers_of_any_text_are_in_order_and_apart(text):
    at = 0
    for marker in find_markers(text, known):
        assert at <= marker.start < marker.end <= len(text)
        at = marker.end
