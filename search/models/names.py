"""Names: what the embedded models are called, which serve wherever no other is named."""

DEFAULT_TEXT_MODEL = "all-MiniLM-L6-v2"
DEFAULT_IMAGE_MODEL = "quarry-lite0"
DEFAULT_READER = "quarry-reader"
