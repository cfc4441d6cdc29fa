"""ntp: neural theorem proving with tactic policies tuned as GFlowNets against real proof assistants."""

__version__ = "0.1.0"
