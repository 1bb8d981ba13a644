"""The parts of `projector`: points from a model, and the files that TensorBoard shows."""
