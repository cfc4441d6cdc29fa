import shutil
import warnings

import lightning
import torch

from ntp.tracking.mlflow import MlflowRun
from ntp.tracking.runs import metric_history


class Line(lightning.LightningModule):
    def __init__(self, slope=1.0):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, batch_idx):
        loss = (self.layer(batch) - self.hparams.slope * batch).square().mean()
        self.log("train/loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_a_trainer_logs_into_the_run_and_leaves_its_end_to_its_owner(tmp_path, empty_database):
    (tmp_path / "run").mkdir()
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with MlflowRun(uri, "demo", tmp_path / "run", "run") as run:
        logger = run.lightning_logger()
        assert (logger.name, logger.version) == ("demo", run.run_id)
        trainer = lightning.Trainer(
            accelerator="cpu", logger=logger, max_steps=5, log_every_n_steps=1, default_root_dir=tmp_path,
            enable_progress_bar=False, enable_checkpointing=False, enable_model_summary=False,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer.fit(Line(), torch.utils.data.DataLoader(torch.rand(5, 1)))
        from mlflow.tracking import MlflowClient

        assert MlflowClient(uri).get_run(run.run_id).info.status == "RUNNING"
        assert MlflowClient(uri).get_run(run.run_id).data.params == {}
    steps, losses = metric_history(uri, tmp_path / "run", "train/loss")
    assert steps == (0, 1, 2, 3, 4)
    assert losses[-1] == trainer.callback_metrics["train/loss"].item()
