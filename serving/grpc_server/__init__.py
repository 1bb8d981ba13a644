"""The gRPC server in front of the service, and the standard services beside it."""
