"""The config: its sections, the schemas of declared options, and composing it."""
