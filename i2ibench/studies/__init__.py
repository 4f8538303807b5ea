"""Blinded reader studies: what people see in images, and which metrics agree with them."""
