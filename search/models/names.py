"""Names: what the embedded models are called, which serve wherever no other is named."""

DEFAULT_TEXT_MODEL = "all-MiniLM-L6-v2"
MULTILINGUAL_TEXT_MODEL = "multilingual-e5-small"  # beside the default one, for what that does not know
DEFAULT_IMAGE_MODEL = "quarry-lite0"
DEFAULT_READER = "quarry-reader"
MULTILINGUAL_READER = "quarry-reader-multilingual"  # beside the default one, for what that does not know
