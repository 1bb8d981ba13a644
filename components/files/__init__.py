"""Files on this machine: found, named, read and written safely."""
