"""What is in artifacts, as plain values for pages and reports: one module for each subject."""
