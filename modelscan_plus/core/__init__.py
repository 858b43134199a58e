"""The values every other room speaks in; imports nothing from the rest of the package."""
