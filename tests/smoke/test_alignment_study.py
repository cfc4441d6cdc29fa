"""An alignment study from the command line, with texts whose order is known."""

import json
import shutil

import pytest

from ntp.formalization.records import Pair, write_pairs
from tests.formalization.alignment.synthetic import OTHER, WORDS, sentences

pytestmark = [pytest.mark.coq, pytest.mark.slow, pytest.mark.timeout(1800)]


def pair(index, part):
    informal = f"the number {index} is not its successor"
    return Pair(
        f"{part}{index}", informal, f"Lemma n{index} : {index} <> S {index}.", "", "coq", part, "made up"
    )


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    write_pairs(
        root / "pairs.jsonl",
        [pair(i, part) for part, num in (("train", 60), ("test", 30)) for i in range(num)],
    )
    for name, words in (("near", ["number", "successor", "Lemma", "not"]), ("words", WORDS), ("far", OTHER)):
        (root / f"{name}.txt").write_text("\n\n".join(sentences(words, 60, 1)))
    names = ("near", "words", "far")
    return [
        *("+experiment=alignment_study", f"alignment.pairs={root}/pairs.jsonl"),
        *(f"+alignment.files.{name}=[{root}/{name}.txt]" for name in names),
        *(f"+alignment.conditions.{name}={{texts: {{{name}: 1}}}}" for name in names),
        *("alignment.chosen=[aligned,near,words,far]", "alignment.seeds=[0]"),
        *("model.hidden_size=32", "model.num_layers=1", "model.num_heads=2", "model.intermediate_size=64"),
        *("model.vocab_size=400", "trainer.max_steps=20", "module.block_tokens=64", "module.warmup_steps=2"),
        *("alignment.probe.num_batches=3", "alignment.probe.batch_size=4", "alignment.probe.num_epochs=1"),
        *("alignment.outcomes.num_pairs=4", "alignment.outcomes.adapt_steps=2"),
    ]


def test_a_study_finds_that_near_texts_are_worth_more_and_continues(options, own_cli):
    directory = own_cli.succeed(*options)
    results = {r["name"]: r for r in json.loads((directory / "results.json").read_text())}
    for measure in ("task2vec", "gzip", "ngrams"):
        found = {name: r["measures"][f"alignment/{measure}"] for name, r in results.items()}
        assert found["aligned"] > found["near"] >= found["far"], measure
        # Words of the target in random order share its vocabulary and hardly an n-gram.
        assert measure == "ngrams" or found["near"] > found["far"], measure
    losses = {name: r["outcomes"]["zero_shot/loss"][0] for name, r in results.items()}
    assert losses["aligned"] < min(losses["words"], losses["far"])
    assert {r["num_distinct_tokens"] for r in results.values()} <= set(range(1, 20 * 2 * 64 + 1))
    summary = json.loads((directory / "summary.json").read_text())
    assert 0 <= summary["zero_shot/loss/alignment/task2vec/r2"] <= 1
    html = (directory / "report.html").read_text()
    assert html.count("<svg") == 5 * len(results["aligned"]["outcomes"])

    # A study that was killed has some of its stages: here one is taken away together with the report.
    before = (directory / "results.json").read_text()
    lost = min(own_cli.outputs.glob("condition_eval-*"))
    others = {p: p.stat().st_mtime_ns for p in own_cli.outputs.glob("*/summary.json")}
    shutil.rmtree(lost)
    shutil.rmtree(directory)
    assert own_cli.succeed(*options) == directory
    assert (directory / "results.json").read_text() == before
    kept = [path for path in others if path.parent not in (lost, directory)]
    assert len(kept) == len(others) - 2
    assert all(path.stat().st_mtime_ns == others[path] for path in kept)
