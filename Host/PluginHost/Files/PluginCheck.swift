/// Checks all files of the plugins directory without serving.
package struct PluginCheck: Sendable {
  /// What there is to say about one file.
  package enum Finding: Sendable, Equatable {
    case passed(PluginReport)
    case disabled
    case failed(PluginFileError)
  }

  private let probe: PluginProbe
  private let libraries: String
  private let claims: DeclarationClaims
  /// Ids of plugins that passed, with their files.
  private var taken: [String: String] = [:]

  /// Describes a check.
  ///
  /// - Parameters:
  ///   - probe: Runs the plugins' code.
  ///   - libraries: Where libraries are that are named without a slash; empty: beside the binary.
  ///   - reserved: The host's own methods and paths.
  package init(
    probe: PluginProbe,
    libraries: String,
    reserved: [(method: String, pattern: PathPattern)] = []
  ) {
    self.probe = probe
    self.libraries = libraries.isEmpty ? PluginLoader.besideTheBinary() : libraries
    claims = DeclarationClaims(reserved: reserved)
  }

  /// Checks one file, also against those checked before it.
  ///
  /// - Parameter path: Of the file.
  /// - Returns: The first thing that is wrong, if anything is.
  package mutating func check(_ path: String) -> Finding {
    do throws(PluginFileError) {
      let file = try PluginFile(path: path)
      guard file.isEnabled else { return .disabled }
      switch probe.run(file: path, libraries: libraries) {
      case .failed(let error): return .failed(error)
      case .passed(let report):
        try compare(report, file)
        return .passed(report)
      }
    } catch {
      return .failed(error)
    }
  }

  private mutating func compare(_ report: PluginReport, _ file: PluginFile) throws(PluginFileError)
  {
    if let other = taken[report.name] {
      throw fault(
        file,
        "the plugin \"\(report.name)\" is in \(other) already; disable one of the files"
      )
    }
    for route in report.routes {
      let parts = route.split(separator: " ", maxSplits: 1)
      guard parts.count == 2, let pattern = try? PathPattern(String(parts[1])) else { continue }
      let name = DeclarationClaims.Name.route(method: String(parts[0]), shape: pattern.shape)
      if let other = claims.claim(name, owner: report.name, context: 0) {
        throw fault(
          file,
          DeclarationClaims.refusal(of: "route \(route)", to: report.name, by: other)
        )
      }
    }
    taken[report.name] = file.name
  }

  private func fault(_ file: PluginFile, _ reason: String) -> PluginFileError {
    PluginFileError(file: file.path, position: file.libraryPosition, fault: .load(reason))
  }
}
