"""The second front end: TorchScript code becomes a `Graph`."""
