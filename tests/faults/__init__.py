"""Faults, made on purpose: a short form that the tests run, a long one by a module of its own."""
