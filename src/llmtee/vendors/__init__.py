"""The analytics vendors, a folder each, both directions. Pure. Nothing here is imported but by the registry."""
