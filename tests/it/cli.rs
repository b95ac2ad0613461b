//! The command line: exit codes, and commands used one after the other.
