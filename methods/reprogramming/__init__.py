"""Something small before a stage of a frozen source: adapters, output mappings, and the methods made of them."""
