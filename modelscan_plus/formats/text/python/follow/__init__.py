"""What a program does when it is imported and when loaders call it: followed over its syntax trees, nothing of it is run.

The analysis of one file (analyse.py) goes by names: it finds each call and asks what the name stands for. Here the
statements are gone through in the order in which Python would, over all files of a repository, with values that are
known only in part: a text, a function of the repository, an object of one of its classes, something of a library, or
unknown. So a call leads to the function it means however that was reached: through another file, an operator, a
decorator, a table, an object handed to a library. What a library's function then does with which arguments is told by
the same code as for one file.
"""
