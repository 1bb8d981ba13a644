"""Pictures as a source of records: files, manifests, TFRecords, rows of pixels."""
