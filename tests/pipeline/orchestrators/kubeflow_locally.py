"""Run a compiled pipeline by Kubeflow's own local runner: python kubeflow_locally.py FILE SCRATCH.

Run in an environment that has `kfp` (`make kfp`). Containers become processes of this machine.
"""

import sys

from kfp import components, local
from kfp.local.subprocess_task_handler import SubprocessTaskHandler

# It is meant for functions in Python, and knows them by their command; it would run any other.
SubprocessTaskHandler.validate_not_container_component = lambda *_: None

file, scratch = sys.argv[1:]
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=scratch)
components.load_component_from_file(file)()
