import Glibc

/// The folder `PluginSDK` of the gateway's sources, with `Host/Wire` beside it.
package struct SDKFolder: Equatable, Sendable {
  /// Absolute.
  package let path: String

  /// Why no SDK was found.
  package enum Missing: Error, Equatable, CustomStringConvertible {
    /// The folder that was named lacks this file.
    case incomplete(folder: String, file: String)
    /// It is in none of these places.
    case notFound([String])

    package var description: String {
      switch self {
      case .incomplete(let folder, let file):
        "\(folder): this is not the plugin SDK, as \(file) is missing; name the folder PluginSDK of the gateway's sources"
      case .notFound(let places):
        """
        The plugin SDK was found neither at \(places.joined(separator: " nor at ")). Name the folder PluginSDK of the \
        gateway's sources with --sdk.
        """
      }
    }
  }

  /// Looks where the build leaves the binary, and where an installation has it.
  ///
  /// - Parameters:
  ///   - named: The folder, when the caller names one.
  ///   - binaryFolder: The absolute folder of the running binary.
  /// - Throws: `Missing`.
  package init(named: String?, binaryFolder: String) throws(Missing) {
    if let named {
      let folder = Directory.absolute(named) ?? named
      if let file = Self.lacks(folder) { throw .incomplete(folder: folder, file: file) }
      path = folder
      return
    }
    // .build/<triple>/release/gateway, and bin/gateway beside share/.
    let places = ["../../../PluginSDK", "../share/gateway/PluginSDK"].map {
      "\(binaryFolder)/\($0)"
    }
    guard
      let found = places.compactMap(Directory.absolute).first(where: { Self.lacks($0) == nil })
    else { throw .notFound(places) }
    path = found
  }

  private static func lacks(_ folder: String) -> String? {
    let needed = ["C/gateway_plugin.h", "plugin.map", "Templates/common/plugin.mk", "../Host/Wire"]
    return needed.first { unsafe access("\(folder)/\($0)", R_OK) != 0 }
  }
}
