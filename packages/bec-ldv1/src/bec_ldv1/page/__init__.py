"""What a page meets, from its bytes to the outlines of what is line."""
