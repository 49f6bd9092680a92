"""From placed tensor operations to instructions (section 4.4 of the paper)."""
