"""Image models: pictures and texts -> vectors of one space, of open_clip."""
