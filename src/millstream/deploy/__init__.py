"""Models as container images: the folder to build one from, and the engine that builds it."""
