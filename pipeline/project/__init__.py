"""The project that `millrace init` writes; the files under `template` hold `$package`."""
