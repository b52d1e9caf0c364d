import P2PFog

/// Of the two of this name, the one of calls that the fog makes; links have another.
typealias CallBody = P2PFog.CallBody
