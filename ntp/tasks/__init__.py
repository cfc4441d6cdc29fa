"""The verbs that `ntp.run` dispatches to."""
