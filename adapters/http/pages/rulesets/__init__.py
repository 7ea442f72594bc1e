"""Rule sets: what is in force, every version, each rule in words with its sources."""
