"""The version of the package, for reports and the command line."""

VERSION = "0.1.0"
