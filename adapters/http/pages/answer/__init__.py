"""One answer of a decision: what carried each gate, and the records behind it."""
