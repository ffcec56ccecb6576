"""A knowledge book back in a model: as inferred facts, mask, prior and restriction of walks.

``applied`` settles what of a book bears on a task, ``learning`` what it is worth on validation.

``completion`` infers facts, ``mask`` tells which answers are possible, ``prior`` scores answers by
rules and learns what that is worth, ``restriction`` walks only relations that rules use; ``guided``
puts them around any method.
"""
