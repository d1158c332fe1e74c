"""The client of the service over real sockets."""
