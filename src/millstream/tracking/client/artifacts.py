"""placeholder"""
from millstream.tracking.client.base import Calls
class ArtifactCalls(Calls):
    pass
