"""The servers that tests talk to: started, configured, rolled out, and called by the official stubs."""
