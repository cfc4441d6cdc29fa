"""Trains a dual encoder to find the premises that the next tactic uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ntp.losses.contrastive import ContrastiveLoss
from ntp.modules.learner import Learner, OptimizerFactory
from ntp.retrieval.corpus import PremiseCorpus
from ntp.retrieval.dense import DenseRetriever
from ntp.retrieval.dual_encoder import DualEncoder, encode_all
from ntp.retrieval.examples import RetrievalExample
from ntp.retrieval.metrics import assess
from ntp.retrieval.negatives import DrawnExample


class RetrieverModule(Learner):
    """Contrastive training with in-batch and sampled negatives.

    Every state is compared with the premises of the whole batch, positives and negatives of all examples, as
    in ReProver. The positives of a state are all premises that its tactic names.

    Args:
        encoder: The encoder to train.
        corpus: The premises.
        loss: Computes a scalar from similarities.
        optimizer: Builds the optimizer from parameters.
        warmup_steps: Optimizer steps of linear warm-up.
        decay_steps: Steps after which the learning rate has decayed to a tenth, by a cosine; 0 for no decay.
        encode_batch_size: Premises encoded at once for validation.
    """

    def __init__(
        self,
        encoder: DualEncoder,
        corpus: PremiseCorpus,
        loss: ContrastiveLoss,
        optimizer: OptimizerFactory,
        warmup_steps: int,
        decay_steps: int = 0,
        encode_batch_size: int = 64,
    ) -> None:
        super().__init__(optimizer, warmup_steps, decay_steps)
        self.encoder = encoder
        self._corpus = corpus
        self._loss = loss
        self._encode_batch_size = encode_batch_size
        self._val: list[RetrievalExample] = []

    def training_step(self, batch: Sequence[DrawnExample]) -> Tensor:
        """The loss of all states against all premises of the batch."""
        numbers = list(dict.fromkeys(n for drawn in batch for n in (drawn.positive, *drawn.negatives)))
        column = {number: i for i, number in enumerate(numbers)}
        states = [drawn.example.state for drawn in batch]
        state_BD = self.score_together(states, self.encoder.encode_states)
        documents = [self._corpus.documents[n] for n in numbers]
        premise_MD = self.score_together(documents, self.encoder.encode_premises)
        similarity_BM = state_BD @ premise_MD.T
        positive_BM = torch.zeros(similarity_BM.shape, dtype=torch.bool)
        for row, drawn in enumerate(batch):
            positive_BM[row, [column[n] for n in drawn.example.used if n in column]] = True
        target_B = torch.tensor([column[drawn.positive] for drawn in batch])
        device = similarity_BM.device
        loss = self._loss(similarity_BM, positive_BM.to(device), target_B.to(device))
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch))
        return loss

    def validation_step(self, batch: Sequence[RetrievalExample]) -> None:
        """Collect the examples."""
        self._val += batch

    def on_validation_epoch_end(self) -> None:
        """Re-index the premises, retrieve for all examples, log `val/recall_at_1`, `_at_10`, `val/mrr`."""
        examples, self._val = self._val, []
        if not examples:
            return
        vectors = self.score_together(
            self._corpus.documents,
            lambda part: torch.from_numpy(
                encode_all(self.encoder.encode_premises, part, self._encode_batch_size)
            ),
        )
        retriever = DenseRetriever(self.encoder, self._corpus, vectors.cpu().numpy(), self._encode_batch_size)
        for name, value in assess(retriever, examples).items():
            if name != "num_steps":
                self.log(f"val/{name}", value, prog_bar=name == "recall_at_10")

    def save(self, directory: Path) -> None:
        """Write the encoder to `directory/retriever`."""
        self.encoder.save(directory / "retriever")
