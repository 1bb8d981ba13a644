"""A model asked about rows: in this process, in a Beam worker, behind a server."""
