"""What an assistant's host is given of a library, by the Model Context Protocol: tools and resources that only read."""
