"""How artifacts look in a notebook and on the page of a run: HTML that needs no other file."""
