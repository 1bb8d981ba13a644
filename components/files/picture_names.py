"""Which files are pictures, which are none: by their names, the same rule for all that read them.

A file of neither is looked into, and set aside if it is no picture.
"""

import posixpath

from millrace.components.files.walk import is_hidden

_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".gif", ".bmp", ".webp", ".avif"}
    | {".tif", ".tiff", ".pgm", ".ppm", ".pbm", ".pnm", ".jp2", ".j2k"}
)
_BESIDE_PICTURES = frozenset(  # what lies beside pictures and is none, whoever wrote it
    {".txt", ".md", ".rst", ".rtf", ".html", ".htm", ".pdf", ".doc", ".docx", ".log"}
    | {".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg"}
    | {".xls", ".xlsx", ".ods", ".parquet", ".db", ".sqlite", ".lst", ".lnk", ".url"}
    | {".py", ".ipynb", ".r", ".m", ".sh", ".mat", ".npy", ".npz", ".pkl", ".h5", ".hdf5"}
    | {".zip", ".gz", ".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".md5", ".sha256"}
)
_NOTES = frozenset({"readme", "license", "licence", "copying", "authors", "notice", "changelog"})


def is_picture(path: str) -> bool:
    """Whether `path` is a picture by its extension."""
    return posixpath.splitext(path)[1].lower() in _SUFFIXES


def is_other(path: str) -> bool:
    """Whether `path` is no picture: hidden, litter, a note, a table, a program, an archive."""
    name = path.rpartition("/")[2].lower()
    return is_hidden(path) or name in _NOTES or posixpath.splitext(name)[1] in _BESIDE_PICTURES
