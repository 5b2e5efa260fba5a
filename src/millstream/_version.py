"""The version of this distribution, read by the build too."""

VERSION = "0.1.0"
