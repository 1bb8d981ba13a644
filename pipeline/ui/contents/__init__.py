"""What pages and the report show, as plain values: one module for each subject."""
