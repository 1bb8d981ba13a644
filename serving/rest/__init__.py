"""HTTP and JSON in front of the service, as `tensorflow_model_server` speaks them."""
