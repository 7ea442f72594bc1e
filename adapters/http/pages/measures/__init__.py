"""Quality measures: the last report that was counted, and the patients behind each number."""
