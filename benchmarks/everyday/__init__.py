"""Everyday texts - receipts, tables, man pages, notes - and what one asks them."""
