"""A knowledge book back in a model: as inferred facts, mask, prior and restriction of walks.

``completion`` infers facts, ``mask`` tells which answers are possible, ``prior`` scores answers by
rules and learns what that is worth, ``restriction`` walks only relations that rules use; ``guided``
puts them around any method.
"""
