from functools import partial

import lightning
import pytest
import torch

from ntp.data.records import FileRecord, PremiseRecord
from ntp.errors import CheckpointError
from ntp.losses.contrastive import InfoNCE, SimilarityMSE
from ntp.modules.retriever import RetrieverModule
from ntp.modules.supervised_data import RetrievalDataModule
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.dense import DenseRetriever, premise_vectors
from ntp.retrieval.dual_encoder import DualEncoder
from ntp.retrieval.encoder_factory import TinyEncoderFactory
from ntp.retrieval.examples import RetrievalExample
from ntp.retrieval.metrics import assess
from ntp.retrieval.negatives import ContrastiveSchedule
from ntp.tracking.lightning import AtomicCheckpointIO, LastCheckpoint
from ntp.types import Span, Theorem

# What a premise says and the word that states use for it have no letter in common: only training can tell.
WORDS = {
    "apple": "stick",
    "brick": "honey",
    "cloud": "jetty",
    "daisy": "worms",
    "eagle": "pools",
    "flute": "grain",
}


@pytest.fixture
def corpus():
    premises = [
        PremiseRecord(f"M.{w}", "Lemma", f"Lemma {w} : forall x, {w} x.", "a.v", Span(10 * i, 10 * i + 5))
        for i, w in enumerate(WORDS)
    ]
    return PremiseCorpus(premises, [FileRecord("a.v", "M", (), "", 1, 1)], [])


@pytest.fixture
def examples(corpus):
    number = {p.full_name: i for i, p in enumerate(corpus.premises)}
    theorem = Theorem("M.t", "a.v", "", Span(900, 905), Span(905, 910))
    return [
        RetrievalExample(f"n{j} : nat\n⊢ {said} n{j}", theorem, (number[f"M.{word}"],))
        for j in range(4)
        for word, said in WORDS.items()
    ]


def make_module(corpus, loss, lr=1e-2, seed=0):
    factory = TinyEncoderFactory(
        vocab_size=320,
        hidden_size=32,
        num_layers=1,
        num_heads=2,
        intermediate_size=32,
        dropout=0.0,
        seed=seed,
    )
    encoder = factory.create([*corpus.documents, *WORDS.values()])
    return RetrieverModule(encoder, corpus, loss, partial(torch.optim.AdamW, lr=lr), warmup_steps=0)


def fit(module, corpus, examples, directory, max_steps, ckpt_path=None):
    data = RetrievalDataModule(ContrastiveSchedule(examples, corpus, 6, 1, 1, 0), examples, 8)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_steps=max_steps,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        val_check_interval=max_steps,
        callbacks=[LastCheckpoint(directory, 10)],
        plugins=[AtomicCheckpointIO()],
        default_root_dir=directory,
    )
    trainer.fit(module, data, ckpt_path=ckpt_path, weights_only=True if ckpt_path else None)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


@pytest.mark.parametrize(("loss", "num_steps"), [(InfoNCE(), 80), (SimilarityMSE(), 300)])
def test_training_reaches_perfect_recall_where_words_do_not_help(loss, num_steps, corpus, examples, tmp_path):
    module = make_module(corpus, loss)
    batch = ContrastiveSchedule(examples, corpus, 6, 1, 1, 0).batch(0)
    module.log = lambda *args, **kwargs: None
    before = module.training_step(batch).item()
    del module.log
    metrics = fit(module, corpus, examples, tmp_path, num_steps)
    module.log = lambda *args, **kwargs: None
    assert module.training_step(batch).item() < before * 0.7
    assert metrics["val/recall_at_1"] == metrics["val/mrr"] == 1.0

    module.save(tmp_path)
    encoder = DualEncoder.load(tmp_path / "retriever").eval()
    retriever = DenseRetriever(encoder, corpus, premise_vectors(encoder, corpus, tmp_path / "cache", 64), 64)
    assert assess(retriever, examples) == {
        "recall_at_1": 1.0,
        "recall_at_10": 1.0,
        "mrr": 1.0,
        "num_steps": 24,
    }


def test_the_loss_is_that_of_all_states_against_all_premises(corpus, examples):
    module = make_module(corpus, InfoNCE(0.2))
    module.encoder.eval()
    module.log = lambda *args, **kwargs: None
    batch = ContrastiveSchedule(examples, corpus, 6, 2, 2, 3).batch(0)
    numbers = sorted({n for one in batch for n in (one.positive, *one.negatives)})
    losses = []
    for one in batch:
        state = module.encoder.encode_states([one.example.state])[0]
        logits = {n: state @ module.encoder.encode_premises([corpus.documents[n]])[0] / 0.2 for n in numbers}
        losses.append(torch.logsumexp(torch.stack(list(logits.values())), 0) - logits[one.positive])
    assert module.training_step(batch).item() == pytest.approx(torch.stack(losses).mean().item(), abs=1e-4)


def test_a_resumed_run_ends_where_an_undisturbed_one_does(corpus, examples, tmp_path):
    whole, first, second = (make_module(corpus, InfoNCE()) for _ in range(3))
    fit(whole, corpus, examples, tmp_path / "whole", 20)
    fit(first, corpus, examples, tmp_path / "parts", 10)
    assert first.encoder.fingerprint() != whole.encoder.fingerprint()
    fit(second, corpus, examples, tmp_path / "parts", 20, tmp_path / "parts/last.ckpt")
    assert second.encoder.fingerprint() == whole.encoder.fingerprint()


def test_a_checkpoint_of_another_model_is_an_error(corpus, examples, tmp_path):
    fit(make_module(corpus, InfoNCE()), corpus, examples, tmp_path, 2)
    other = make_module(corpus, InfoNCE())
    other.encoder.model.encoder.block.append(other.encoder.model.encoder.block[0])
    with pytest.raises(CheckpointError, match="another model"):
        fit(other, corpus, examples, tmp_path, 4, tmp_path / "last.ckpt")
