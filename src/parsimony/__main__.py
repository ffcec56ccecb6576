"""``python -m parsimony``: the command line."""

from parsimony.cli import main

if __name__ == "__main__":
    main()
