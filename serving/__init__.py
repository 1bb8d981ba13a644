"""TensorFlow Serving's wire: messages, a light client, the embedded model server."""
