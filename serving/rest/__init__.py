"""The REST server in front of the service: HTTP and JSON as in `tensorflow_model_server`."""
