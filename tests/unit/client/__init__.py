"""The library's front door, in virtual time, over the sandbox without a network."""
