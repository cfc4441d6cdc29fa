"""Tasks on pairs of informal and formal statements: make them, train on them, evaluate on them."""
