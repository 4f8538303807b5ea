"""Small packages to begin a plugin with: templates, and what writes them."""
