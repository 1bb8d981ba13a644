"""TensorFlow Serving's protocol: its messages, light clients, and the embedded model server."""
