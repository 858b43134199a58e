"""Tables of what honest models show, each with how it was made."""
