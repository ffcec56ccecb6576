"""Hot loops, one file a kernel: its NumPy reference (the oracle) beside its compiled form.

``frontier`` expands relational digraphs and collapses equal states, ``attention`` and ``gru`` are
the layer, ``sampling`` is AdaProp's top-K, ``partition`` the loss, ``ranking`` the filtered ranks.
Nothing is imported here: each module compiles what it holds when it is first used.
"""
