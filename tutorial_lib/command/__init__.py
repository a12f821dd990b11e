"""The command `lic`."""
