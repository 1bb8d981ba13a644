"""Models called on rows: in this process, in a Beam worker, behind a server."""
