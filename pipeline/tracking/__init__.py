"""A run on a server that keeps many: what is logged there, and how errors of it are borne."""
