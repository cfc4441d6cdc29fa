"""What was proved: verified results, metrics, tables and the report."""
