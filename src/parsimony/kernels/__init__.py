"""Hot loops, one file per kernel: the compiled form next to its NumPy reference (the oracle).

``frontier`` expands relational digraphs and collapses equal states, ``attention`` and ``gru`` are
the layer, ``sampling`` is AdaProp's top-K, ``partition`` the loss, ``ranking`` the filtered ranks.
``pair_graph``, ``pair_paths`` and ``pair_flow`` are EmerGNN's flow between two drugs, ``dense`` its
small products; ``pair_walks`` counts the walks between them by their types.
Nothing is imported here: each module compiles what it holds when it is first used.
"""
