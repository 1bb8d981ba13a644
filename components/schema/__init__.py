"""tensorflow-metadata schemas: their text form, and how one is inferred from statistics."""
