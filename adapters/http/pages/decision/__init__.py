"""A decision from input to outcome, criterion by criterion, for whoever checks it."""
