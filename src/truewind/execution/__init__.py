"""Acting: orders and the venues that fill them."""
