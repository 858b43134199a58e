"""Scripts for shells as programs: their commands, and what goes from one to the next."""
