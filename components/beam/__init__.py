"""What every Beam step shares: the runner and its flags, and passes over shards."""

import logging


def _concerns_anybody(record: logging.LogRecord) -> bool:
    """Not that Beam looks for BigQuery's libraries in vain, which google-auth (MLflow) makes it."""
    return not str(record.msg).startswith("apitools not found")


logging.getLogger().addFilter(_concerns_anybody)  # of records that Beam logs by the root itself
