"""Reports what this machine has of what experiments need, and how to fix what is missing."""

from __future__ import annotations

from ntp.doctor.report import run
from ntp.workflow.task import Report

TASK = Report("doctor", run)
