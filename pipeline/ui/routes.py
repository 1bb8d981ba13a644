"""Every page, file and action, module by module."""

from millrace.pipeline.ui.site import Action, File, View
from millrace.pipeline.ui.views import (
    again,
    artifacts,
    compare,
    data,
    lineage,
    models,
    run,
    runs,
    trying,
)

_MODULES = (
    again,
    artifacts,
    compare,
    data,
    lineage,
    models,
    run,
    runs,
    trying,
)

VIEWS: tuple[View, ...] = tuple(view for module in _MODULES for view in module.VIEWS)
FILES: tuple[File, ...] = tuple(file for module in _MODULES for file in module.FILES)
ACTIONS: tuple[Action, ...] = tuple(one for module in _MODULES for one in module.ACTIONS)
