"""One page about a session, a synthesis run, a sample, or everything, to be read and printed."""
