"""Python sources, judged on their syntax tree; nothing of them is imported or run."""
