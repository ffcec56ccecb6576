"""The flow between two drugs and the walks it is made of."""
