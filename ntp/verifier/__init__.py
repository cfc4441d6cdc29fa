"""An ensemble of verifiers: heads on one frozen backbone, and what their scores mean."""
