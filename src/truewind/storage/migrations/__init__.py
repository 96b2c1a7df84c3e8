"""Migrations of the database, one a version, in order; `storage.database` runs them."""
