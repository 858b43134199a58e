"""Second opinions: other scanners behind one interface, each run in a sandboxed child of its own."""
