"""Letters: what one says, how it looks on paper, and what people do to it."""
