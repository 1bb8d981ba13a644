"""What `export` is made of: signatures, warm-up requests, the check. Only `export` imports it."""
