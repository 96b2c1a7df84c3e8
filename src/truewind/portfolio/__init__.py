"""What the account owns and owes."""
