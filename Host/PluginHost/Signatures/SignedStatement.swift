import CGatewayPlugin

/// What is signed of a library: its bytes, what it calls itself, and the hosts it is for.
package struct SignedStatement: Sendable, Equatable {
  /// A version of the contract between host and plugin.
  package struct Contract: Sendable, Equatable, CustomStringConvertible {
    package var major: UInt32
    package var minor: UInt32

    package init(major: UInt32, minor: UInt32) {
      self.major = major
      self.minor = minor
    }

    /// Reads `1.0`.
    package init?(_ text: String) {
      let parts = text.split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count == 2, let major = UInt32(parts[0]), let minor = UInt32(parts[1]),
        text == "\(major).\(minor)"
      else { return nil }
      self.init(major: major, minor: minor)
    }

    package var description: String { "\(major).\(minor)" }
  }

  /// SHA-256 of the library, in hexadecimal digits.
  package var digest: String
  /// The plugin's id.
  package var id: String
  /// The plugin's version.
  package var version: String
  /// The contract that the library was built for: the first that serves it.
  package var from: Contract
  /// The first contract, with other promises, that does not serve it any more.
  package var below: Contract

  /// Describes a library.
  ///
  /// - Parameters:
  ///   - digest: SHA-256, in hexadecimal digits.
  ///   - id: As the library states it, and so the next.
  ///   - version: Its version.
  ///   - abiMajor: The contract that it was built for.
  ///   - abiMinor: Of the same.
  package init(digest: String, id: String, version: String, abiMajor: UInt32, abiMinor: UInt32) {
    self.digest = digest
    self.id = id
    self.version = version
    from = Contract(major: abiMajor, minor: abiMinor)
    below = Contract(major: abiMajor &+ 1, minor: 0)
  }

  /// The bytes that are signed.
  ///
  /// Their first line keeps a signature from being taken for one of anything else, and no value can hold a line end.
  package var message: [UInt8] {
    Array(
      """
      \(PluginSignature.format)
      sha256 \(digest)
      id \(id)
      version \(version)
      abi_from \(from)
      abi_below \(below)

      """.utf8
    )
  }

  /// Whether this host is one of those that the library is for.
  package var fitsHost: Bool { from.major <= GW_ABI_MAJOR && GW_ABI_MAJOR < below.major }
}
