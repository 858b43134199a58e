"""Jinja templates of chats, judged on their parsed tree; nothing is compiled or rendered."""
