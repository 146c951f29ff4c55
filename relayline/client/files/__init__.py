"""Files as the clients send them and name them."""
