"""What a model's base path has to offer: one look at it, with the warnings of the real server.

Texts are those of tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc.
"""

import logging

from etils.epath import Path

from millrace.serving import versions
from millrace.serving.lifecycle import ModelConfig

_log = logging.getLogger(__name__)


def wanted(config: ModelConfig) -> dict[int, Path] | None:
    """The version folders that `config` wants, by number; None where it cannot be told.

    A base path that is missing or cannot be listed tells nothing, an empty one wants nothing.
    """
    try:
        found = versions.on_disk(config.base_path)
    except OSError as error:
        _log.warning("Cannot list base path %s: %s", config.base_path, error)
        return None
    if found is None:
        _log.warning("Could not find base path %s for servable %s", config.base_path, config.name)
        return None
    aspired = versions.aspired(config.policy, found)
    if not aspired:
        _log.warning(
            "No versions of servable %s found under base path %s. Did you forget to name "
            "your leaf directory as a number (eg. '/1/')?",
            config.name,
            config.base_path,
        )
    return aspired
