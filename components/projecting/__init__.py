"""What `projector` is made of: points out of a model, and the files that TensorBoard shows."""
