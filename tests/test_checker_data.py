"""What the checker's network is trained on: labelled claims, rule-made edits, and how they are put together."""

import json
import random
import re

import numpy as np
import pytest
from fakes import CRANE, MARMOT, PAPERS, ZEBRA, checker, embedder
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.checker import data, objections, pretraining
from eval.checker.data import Claim, Group, Label, Pair, Part, groups
from eval.checker.export import least_share, low_rank
from eval.checker.inference import read_inference
from eval.checker.names import base_weights, bert_name, encoder_names
from eval.checker.plan import BATCH, batches, padded, row_length
from rag.errors import UsageError
from rag.index.embed import bundled_model_dir
from rag.verify.network import LONGEST_CLAIM, LONGEST_SOURCE

FAMILIAR = [*pretraining.SYNONYMS, *pretraining.OPPOSITES]
WORDS = st.sampled_from(
    [*FAMILIAR, "marmots", "not", "no", "without", "is", "are", "12", "3.5", "0", "the", "Whistles"]
)
SENTENCES = st.lists(WORDS, min_size=1, max_size=25).map(lambda words: " ".join(words) + ".")
CHANCES = st.integers(0, 10_000).map(random.Random)


def group(source=20, claims=(10,), label=Label.SUPPORTED):
    made = tuple(Claim((7,) * pieces, pretraining.NEUTRAL, 0.5, label, "paraphrase") for pieces in claims)
    return Group("twins", "one", Part.TRAINING, (5,) * source, made)


def pair(source, claim, **other):
    given = {"set": "twins", "source_id": "one", "part": Part.TRAINING, "label": Label.SUPPORTED, "kind": "merge"}
    return Pair(**(given | {"source": source, "claim": claim} | other))


@given(st.text(max_size=40))
def test_a_claim_is_in_one_part_and_sets_not_trained_on_are_reported(claim):
    assert data.part_of_claim("begin", claim) is Part.REPORT
    parts = {data.part_of_claim(name, claim) for name in data.TRAINED}
    assert len(parts) == 1  # the same claim in two sets is never on both sides


def test_the_shipped_twins_leave_the_papers_kept_for_tests_alone():
    papers = {json.loads(line)["id"] for line in (data.DATASETS / "papers.jsonl").open(encoding="utf-8")}
    pairs = list(data.read_twins())
    assert not [pair for pair in pairs if pair.source_id in papers and int(pair.source_id, 16) % 3 == 0]
    trained, kept = (
        {pair.source_id for pair in pairs if pair.part is part} for part in (Part.TRAINING, Part.DEVELOPMENT)
    )
    assert not trained & kept
    assert 0.1 < len(kept) / len(trained | kept) < 0.25
    assert {pair.label for pair in pairs} == {Label.SUPPORTED, Label.CONTRADICTED, Label.UNSUPPORTED}


def test_twins_are_read_with_both_versions_and_with_claims_about_others(tmp_path):
    paper = json.loads((data.DATASETS / "papers.jsonl").open(encoding="utf-8").readline())
    rows = [
        {"id": f"{field}-{at}", "a": f"a of {field} {at}", "b": f"b of {field} {at}",
         "claims": [{"text": f"{field}-{at} says", "a": "supported", "b": "contradicted", "kind": "number"}]}
        for field in ("bio", "web") for at in range(40)
    ]  # fmt: skip
    rows.append({"id": paper["id"], "b": "another", "claims": [dict(rows[0]["claims"][0], text="of the paper")]})
    path = tmp_path / "twins.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    pairs = list(data.read_twins(path))
    wrong = [pair for pair in pairs if pair.kind == data.WRONG_SOURCE]
    own = [pair for pair in pairs if pair.kind != data.WRONG_SOURCE]
    assert [(pair.source[0], pair.label) for pair in own[:2]] == [("a", Label.SUPPORTED), ("b", Label.CONTRADICTED)]
    assert [pair.source for pair in own[-2:]] == [paper["abstract"], "another"]
    assert len(own) == 2 * len(rows)
    assert len(wrong) == 2 * (len(rows) - 1)  # the only paper has no other of its kind
    for pair in wrong:
        source_id = pair.claim.partition(" ")[0]
        assert source_id != pair.source_id
        assert source_id[:3] == pair.source_id[:3]
        assert data.part_of_source(source_id) is pair.part
        assert pair.label is Label.UNSUPPORTED
    assert pairs == list(data.read_twins(path))


def test_human_labels_are_as_fine_as_their_set_says(tmp_path):
    for name in ("healthver", "hagrid"):
        rows = [(1, "dev/Supports"), (0, "dev/Neutral"), (0, "dev/Refutes")]
        lines = [
            json.dumps({"source": "s", "claim": f"c{at}", "label": rows[at][0], "origin": rows[at][1]})
            for at in range(3)
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    hagrid, healthver = np.array_split([pair.label for pair in data.read_human(tmp_path)], 2)
    assert healthver.tolist() == [Label.SUPPORTED, Label.UNSUPPORTED, Label.CONTRADICTED]
    assert hagrid.tolist() == [Label.SUPPORTED, Label.NOT_SUPPORTED, Label.NOT_SUPPORTED]


def test_claims_about_a_short_source_stand_together_as_the_checker_reads_them():
    said = ["Marmot increases recall by 4.5 points.", "Marmot is trained on 3,200 notes."]
    pairs = [pair(MARMOT.abstract, claim) for claim in said] + [
        pair(ZEBRA.abstract, said[0]),
        pair(CRANE.abstract, "..."),
    ]
    marmot, zebra = groups(pairs, embedder())
    assert [len(marmot.claims), len(zebra.claims)] == [2, 1]  # and what says nothing is left out
    prepared = checker().prepare(MARMOT.abstract)
    for claim, text in zip(marmot.claims, said, strict=True):
        reading = checker().read(text, prepared)
        assert claim.features == reading.features()
        assert claim.untrained == reading.untrained
        assert claim.pieces == tuple(embedder().token_ids(text))
    assert marmot.pieces == tuple(embedder().token_ids(MARMOT.abstract))
    apart = groups([pairs[0], pair(MARMOT.abstract, said[0], part=Part.REPORT)], embedder())
    assert {group.part for group in apart} == {Part.TRAINING, Part.REPORT}


def test_of_a_long_source_each_claim_has_its_excerpt(tmp_path):
    source = " ".join(f"{at}. {paper.abstract}" for at in range(4) for paper in PAPERS)
    said = [
        "Marmot increases recall by 4.5 points over BM25.",
        "Painted horses attracted fewer horseflies.",
        "a " * 200,
    ]
    made = groups([pair(source, claim) for claim in said], embedder())
    assert sum(len(group.claims) for group in made) == 3
    assert len({group.pieces for group in made}) > 1
    for group in made:
        assert len(group.pieces) <= LONGEST_SOURCE
        assert all(len(claim.pieces) <= LONGEST_CLAIM for claim in group.claims)
    assert set(embedder().token_ids("Marmot increases recall")) <= set(made[0].pieces)
    data.write_groups(tmp_path / "groups.jsonl", made)
    assert data.read_groups(tmp_path / "groups.jsonl") == made


@given(
    st.lists(st.tuples(st.integers(1, 300), st.lists(st.integers(1, 72), min_size=1, max_size=30)), max_size=20),
    st.one_of(st.none(), CHANCES),
)
def test_batches_hold_every_claim_once_and_stay_within_their_size(shapes, chance):
    made = [group(*shape) for shape in shapes]
    seen = []
    for rows in batches(made, chance):
        length = padded(max(map(row_length, rows)))
        assert len(rows) == 1 or length * len(rows) <= BATCH
        seen += [(id(group), at) for group, chosen in rows for at in chosen]
    assert sorted(seen) == sorted((id(group), at) for group in made for at in range(len(group.claims)))


@given(SENTENCES, SENTENCES, CHANCES)
def test_edits_really_change_what_is_said(sentence, other, chance):
    for edit in (pretraining.negated, pretraining.recounted, pretraining.turned,
                 pretraining.renamed(sentence, other), pretraining.detailed(other)):  # fmt: skip
        text = edit(sentence, chance)
        assert text is None or text.split() != sentence.split()
    if number := pretraining.recounted(sentence, chance):
        before, after = ([float(found) for found in re.findall(r"\d+(?:\.\d+)?", text)] for text in (sentence, number))
        assert len(before) == len(after)
        assert sum(old != new for old, new in zip(before, after, strict=True)) == 1
    assert pretraining.reword(sentence, chance)


@pytest.mark.parametrize(
    ("edit", "sentence", "expected"),
    [
        (pretraining.negated, "Marmots do not whistle.", "Marmots do whistle."),
        (pretraining.negated, "Marmots whistle without rest.", "Marmots whistle with rest."),
        (pretraining.negated, "Marmots are shy.", "Marmots are not shy."),
        (pretraining.negated, "Marmots whistle.", None),
        (pretraining.recounted, "Marmots whistle.", None),
        (pretraining.recounted, "GPT-4 whistles.", None),
        (pretraining.turned, "It came before lunch.", "It came after lunch."),
        (pretraining.turned, "Marmots whistle.", None),
    ],
)
def test_edits(edit, sentence, expected):
    assert edit(sentence, random.Random(1)) == expected


def test_opposites_are_no_synonyms_of_themselves():
    for words in (pretraining.OPPOSITES, pretraining.SYNONYMS):
        assert not [word for word, others in words.items() if word in others or not others]


@settings(max_examples=10)
@given(st.integers(0, 1_000))
def test_edited_abstracts_are_groups_within_limits(seed):
    abstracts = [f"{paper.abstract} {PAPERS[0].abstract}" for paper in PAPERS] + ["One sentence is too few."]
    made = list(pretraining.edited(abstracts, embedder(), seed=seed))
    assert made == list(pretraining.edited(abstracts, embedder(), seed=seed))
    for group in made:
        assert 0 < len(group.pieces) <= pretraining.SOURCE_PIECES
        assert group.part is Part.TRAINING
        assert {claim.label for claim in group.claims} <= {Label.SUPPORTED, Label.CONTRADICTED, Label.UNSUPPORTED}
        for claim in group.claims:
            assert 0 < len(claim.pieces) <= pretraining.CLAIM_PIECES
            assert len(claim.features) == 9


def test_long_texts_of_every_corpus_are_read(tmp_path):
    for name, text in (("one", "word " * 60), ("two", "short")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "corpus.jsonl").write_text(json.dumps({"_id": "1", "title": "", "text": text}) + "\n")
    assert pretraining.read_abstracts(tmp_path) == ["word " * 60]


def test_every_weight_of_the_encoder_is_one_of_berts():
    base = base_weights(bundled_model_dir())
    names = [bert_name(name) for name in encoder_names()]
    assert set(names) <= set(base)
    assert set(base) - set(names) <= {
        "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight",
        "pooler.dense.weight", "pooler.dense.bias",
    }  # fmt: skip


@pytest.mark.parametrize(("rank", "near"), [(8, 1e-2), (3, 1e-2), (2, None)])
def test_differences_are_kept_as_products_of_narrow_matrices(rank, near):
    chance = np.random.default_rng(0)
    difference = (chance.normal(size=(12, 3)) @ chance.normal(size=(3, 8))).astype(np.float32)
    a, b = low_rank(difference, rank)
    assert (a.shape, b.shape) == ((rank, 8), (12, rank))
    error = np.abs(b.astype(np.float32) @ a - difference).max()
    assert error < near if near else error > 0.1


def test_the_least_share_that_is_precise():
    shares = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    right = np.array([True, True, False, True, False])
    assert least_share(shares, right, 0.75) == 0.6
    assert least_share(shares, right, 1.0) == 0.8
    assert least_share(shares, ~right, 0.9) == 1.0
    assert least_share(np.empty(0), np.empty(0, bool)) == 1.0


def test_edits_are_sentences_of_the_other_version_and_their_true_counterparts(tmp_path):
    twin = {
        "id": "bio-1",
        "a": "Owls sleep by day in old barns. Their young eat mice and voles all summer.",
        "b": "Owls sleep by night in old barns. Their young eat mice and voles all summer.",
        "claims": [],
    }
    path = tmp_path / "twins.jsonl"
    path.write_text(json.dumps(twin))
    made = list(objections.edits(path))
    false = [(found.source, found.claim) for found in made if found.label is Label.NOT_SUPPORTED]
    assert false == [  # and not the sentence that both have
        (twin["b"], "Owls sleep by day in old barns."),
        (twin["a"], "Owls sleep by night in old barns."),
    ]
    for found in made:
        assert found.source in (twin["a"], twin["b"])
        assert found.claim not in found.source
        assert found.part is data.part_of_source("bio-1")
        assert (found.kind == objections.REWORDED) == (found.label is Label.SUPPORTED)
    assert made == list(objections.edits(path))


def test_what_counts_against_a_claim_lies_between_nothing_and_all():
    prepared = checker().prepare(MARMOT.abstract)
    turned = objections.strengths(checker().read("Marmot decreases recall by 9.5 points over BM25.", prepared))
    assert {"turned", "figure", "repeated", "number"} <= set(turned)
    assert all(0 <= strength <= 1 for strength in turned.values())
    assert not any(objections.strengths(checker().read("Painted horses bother no fly.", prepared)).values())


def test_inference_corpora_are_grouped_by_source_and_wrong_rows_told(tmp_path):
    rows = [
        {"source": "Marmots whistle at dawn.", "claim": "Marmots make noise.", "label": "supported"},
        {"source": "Cranes sleep.", "claim": "Cranes never sleep.", "label": "contradicted"},
        {"source": "Marmots whistle at dawn.", "claim": "Marmots are fat.", "label": "unsupported"},
    ]
    (tmp_path / "animals.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    first, second = read_inference(tmp_path, embedder())
    assert [claim.label for claim in first.claims] == [Label.SUPPORTED, Label.UNSUPPORTED]
    assert [claim.label for claim in second.claims] == [Label.CONTRADICTED]
    assert first.pieces == tuple(embedder().token_ids("Marmots whistle at dawn."))
    assert (first.set, first.claims[0].kind, first.part) == ("inference-animals", "animals", Part.TRAINING)
    (tmp_path / "plants.jsonl").write_text(json.dumps(rows[0] | {"label": "entailment"}), encoding="utf-8")
    with pytest.raises(UsageError, match=r"plants.jsonl, row 1.*supported, contradicted, unsupported"):
        list(read_inference(tmp_path, embedder()))
    with pytest.raises(UsageError, match=r"no \.jsonl"):
        list(read_inference(tmp_path / "empty", embedder()))
