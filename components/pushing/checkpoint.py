"""The tensors of a TensorFlow checkpoint, each by a digest; read without TensorFlow.

`variables.index` is a table of LevelDB's format, uncompressed: names to `BundleEntryProto`s, which
say where in `variables.data-…-of-…` the bytes are. Sources: tensorflow/core/util/tensor_bundle,
leveldb/doc/table_format.md.
"""

import hashlib
import struct
from collections.abc import Iterator

from etils.epath import Path

from millrace.components.errors import DataError
from millrace.serving.packed import read_varint
from millrace.serving.protos.checkpoint_pb2 import BundleEntryProto, BundleHeaderProto

_FOOTER = 48  # two block handles, padded, and the magic number
_MAGIC = 0xDB4775248B80FB57
_TRAILER = 5  # bytes after a block: its compression and its checksum


def tensors(prefix: Path) -> dict[str, str]:
    """A digest of each tensor's type, shape and bytes, by the tensor's name.

    Args:
        prefix: of the files, such as `variables/variables`.

    Raises:
        DataError: the files are of another form, or cut.
        FileNotFoundError: there is no such checkpoint.
    """
    index = prefix.parent / f"{prefix.name}.index"
    try:
        entries = dict(_entries(index.read_bytes()))
        header = BundleHeaderProto.FromString(entries.pop(b""))
    except (LookupError, ValueError, struct.error) as error:
        raise _strange(index, str(error)) from error
    shards = [
        prefix.parent / f"{prefix.name}.data-{number:05d}-of-{header.num_shards:05d}"
        for number in range(header.num_shards)
    ]
    found: dict[str, str] = {}
    for name, value in entries.items():
        entry = BundleEntryProto.FromString(value)
        if entry.slices:
            raise _strange(index, f"{name!r} in parts")
        found[name.decode()] = _digest(entry, shards[entry.shard_id])
    return found


def _digest(entry: BundleEntryProto, shard: Path) -> str:
    with shard.open("rb") as file:
        file.seek(entry.offset)
        content = file.read(entry.size)
    if len(content) != entry.size:
        raise _strange(shard, "fewer bytes than its index says")
    shape = [dimension.size for dimension in entry.shape.dim]
    return hashlib.sha256(f"{entry.dtype} {shape}\n".encode() + content).hexdigest()


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a table; those of its index are a key and where a block is."""
    footer = table[-_FOOTER:]
    if len(footer) < _FOOTER or struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise ValueError("no table's footer")
    _, place = _handle(footer, 0)
    index, _ = _handle(footer, place)
    for _, handle in _block(table, *index):
        block, _ = _handle(handle, 0)
        yield from _block(table, *block)


def _handle(raw: bytes, place: int) -> tuple[tuple[int, int], int]:
    """Where a block begins and how long it is; then where the next handle begins."""
    offset, place = read_varint(raw, place)
    size, place = read_varint(raw, place)
    return (offset, size), place


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a block; each key leaves out what it shares with the one before."""
    if len(table) < offset + size + _TRAILER or table[offset + size] != 0:
        raise ValueError("a block that is cut or compressed")
    block = table[offset : offset + size]
    end = size - 4 * (1 + struct.unpack("<I", block[-4:])[0])  # there the restart points begin
    key, place = b"", 0
    while place < end:
        shared, place = read_varint(block, place)
        unshared, place = read_varint(block, place)
        length, place = read_varint(block, place)
        key = key[:shared] + block[place : place + unshared]
        place += unshared
        yield key, block[place : place + length]
        place += length


def _strange(file: Path, received: str) -> DataError:
    return DataError(
        f"{file}: expected a checkpoint of TensorFlow's second version. Received: {received}. "
        "Write the model again."
    )
