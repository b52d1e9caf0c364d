import Glibc
package import Wire

/// One file of the plugins directory: which library, on or off, its settings and limits.
package struct PluginFile: Sendable, Equatable {
  /// Ceilings over what the plugin's routes ask for; `nil` leaves them alone.
  package struct Ceilings: Sendable, Equatable {
    package var inFlight: Int?
    package var bodyBytes: UInt64?
    package var timeout: Duration?

    package init() {}
  }

  /// Bytes of one file.
  package static let maxBytes = 1024 * 1024
  private static let keys = [
    "library", "enabled", "settings", "limits", "signed_by", "force_unsigned", "isolation",
    "grants",
  ]
  private static let limitKeys = ["in_flight", "body_bytes", "timeout_seconds", "memory_bytes"]

  /// The path as it was given.
  package let path: String
  package private(set) var library = ""
  package private(set) var libraryPosition = SettingsDocument.Position(line: 1, column: 1)
  package private(set) var isEnabled = true
  /// A JSON object, as the plugin gets it.
  package private(set) var settings: [UInt8] = Array("{}".utf8)
  package private(set) var ceilings = Ceilings()
  /// Who may have signed the library.
  package private(set) var signers = Signers()
  /// Whether the plugin runs in a process of its own.
  package var isIsolated = false
  /// What it may do there.
  package private(set) var grants = Grants()
  /// Bytes of private memory it may take there; 0: no limit.
  package private(set) var memoryBytes: UInt64 = 0

  /// The file's name without its directory.
  package var name: String { Self.lastPart(of: path) }

  /// The plugin's name as the file's name tells it: without number and extension.
  package var label: String { Self.label(ofFile: name) }

  /// Reads the text of a file.
  ///
  /// - Parameters:
  ///   - bytes: JSON with comments.
  ///   - path: For messages, and where a relative `library` starts from.
  /// - Throws: `PluginFileError` with the first fault.
  package init(_ bytes: [UInt8], path: String) throws(PluginFileError) {
    self.path = path
    guard bytes.count <= Self.maxBytes else { throw fault(.tooLong(limit: Self.maxBytes), nil) }
    let document: SettingsDocument
    do {
      document = try SettingsDocument.parse(bytes)
    } catch {
      let position = SettingsDocument.Position(line: error.line, column: error.column)
      throw fault(.syntax(error.reason), position)
    }
    guard let members = document.root.members else {
      let found = document.root.kind
      throw fault(
        .wrongType(key: "(the file)", wanted: "an object", found: found),
        document.root.position
      )
    }
    for member in members { try take(member) }
    guard document.root["library"] != nil else {
      let missing = PluginFileError.Fault.missingKey(
        "library",
        example: "\"library\": \"utilities\""
      )
      throw fault(missing, document.root.position)
    }
    guard isIsolated || (memoryBytes == 0 && grants == Grants()) else {
      throw fault(.onlyIsolated, document.root["grants"]?.position ?? document.root.position)
    }
  }

  /// Reads the file at `path`.
  ///
  /// - Parameter path: A regular file.
  /// - Throws: `PluginFileError` with the first fault.
  package init(path: String) throws(PluginFileError) {
    guard Self.isNumbered(Self.lastPart(of: path)) else {
      throw PluginFileError(file: path, position: nil, fault: .badName)
    }
    let bytes: [UInt8]
    do {
      bytes = try FileBytes.read(path, limit: Self.maxBytes)
    } catch {
      let fault: PluginFileError.Fault =
        switch error {
        case .tooLong(let limit): .tooLong(limit: limit)
        case .system(let error): .unreadable(error.description)
        }
      throw PluginFileError(file: path, position: nil, fault: fault)
    }
    try self.init(bytes, path: path)
  }

  /// The places where the library may be, the first that exists counts.
  ///
  /// - Parameter directory: Where libraries named without a slash are.
  /// - Returns: Paths in the order they are tried.
  package func candidates(in directory: String) -> [String] {
    if library.hasPrefix("/") { return [library] }
    if library.contains("/") {
      let folder = path.contains("/") ? String(path.dropLast(name.count)) : "./"
      return [folder + library]
    }
    return ["lib\(library).so", "\(library).so", library].map { "\(directory)/\($0)" }
  }

  /// The files of `directory` that the gateway loads, in order of name.
  ///
  /// Backups, hidden files and notes are passed over. A file that is meant and has no number is among them, so that
  /// reading it says what is wrong with its name.
  ///
  /// - Parameter directory: The plugins directory.
  /// - Returns: Their paths.
  /// - Throws: `SystemError` when the directory cannot be read.
  package static func paths(in directory: String) throws(SystemError) -> [String] {
    try Directory.list(directory).filter(isMeant).map { "\(directory)/\($0)" }
  }

  /// What else is in `directory` and not hidden: nothing of it is loaded, which may surprise.
  package static func passedOver(in directory: String) -> [String] {
    Directory.names(in: directory)
      .filter { !$0.hasPrefix(".") && !isMeant($0) }
      .map { "\(directory)/\($0)" }
  }

  /// Whether `name` is one of a plugin's file, rightly numbered or not.
  static func isMeant(_ name: String) -> Bool {
    !name.hasPrefix(".") && (name.hasSuffix(".json") || name.hasSuffix(".jsonc"))
  }

  private mutating func take(_ member: SettingsDocument.Member) throws(PluginFileError) {
    let node = member.node
    switch member.name {
    case "library":
      guard let text = node.json.asString else { throw wrongType("library", "a text", node) }
      guard !text.isEmpty, !text.utf8.contains(0) else { throw fault(.emptyLibrary, node.position) }
      library = text
      libraryPosition = node.position
    case "enabled":
      guard let flag = node.json.asBool else { throw wrongType("enabled", "true or false", node) }
      isEnabled = flag
    case "settings":
      guard node.members != nil else { throw wrongType("settings", "an object", node) }
      settings = node.json.bytes
    case "limits":
      guard let members = node.members else { throw wrongType("limits", "an object", node) }
      for member in members { try takeLimit(member) }
    case "signed_by":
      guard let keys = Signers.keys(node) else {
        throw wrongType("signed_by", "a list of 1 to \(Signers.maxKeys) public keys", node)
      }
      signers.keys = keys
      signers.position = node.position
    case "force_unsigned":
      guard let flag = node.json.asBool else {
        throw wrongType("force_unsigned", "true or false", node)
      }
      signers.isForced = flag
    case "isolation":
      switch node.json.asString {
      case "process": isIsolated = true
      case "none": isIsolated = false
      default: throw wrongType("isolation", #""process" or "none""#, node)
      }
    case "grants": try takeGrants(node)
    default: throw unknown(member, among: Self.keys)
    }
  }

  private mutating func takeGrants(_ node: SettingsDocument.Node) throws(PluginFileError) {
    guard let words = node.json.asArray, words.count <= LoadOrder.maxPaths else {
      throw wrongType("grants", "a list of at most \(LoadOrder.maxPaths) texts", node)
    }
    for word in words {
      guard let text = word.asString, grants.add(text) else {
        throw fault(.unknownGrant(word.asString ?? word.text), node.position)
      }
    }
  }

  private mutating func takeLimit(_ member: SettingsDocument.Member) throws(PluginFileError) {
    switch member.name {
    case "in_flight": ceilings.inFlight = Int(try number(member, 1...1_000_000))
    case "body_bytes": ceilings.bodyBytes = UInt64(try number(member, 0...(1 << 50)))
    case "memory_bytes": memoryBytes = UInt64(try number(member, (16 << 20)...(1 << 50)))
    case "timeout_seconds": ceilings.timeout = .seconds(try number(member, 1...86_400))
    default: throw unknown(member, among: Self.limitKeys)
    }
  }

  private func number(
    _ member: SettingsDocument.Member,
    _ allowed: ClosedRange<Int64>
  ) throws(PluginFileError) -> Int64 {
    guard member.node.json.asNumber != nil else {
      throw wrongType(member.name, "a whole number", member.node)
    }
    guard let value = member.node.json.asInteger, allowed.contains(value) else {
      throw fault(.outOfRange(key: member.name, allowed: allowed), member.node.position)
    }
    return value
  }

  private func wrongType(
    _ key: String,
    _ wanted: String,
    _ node: SettingsDocument.Node
  ) -> PluginFileError {
    fault(.wrongType(key: key, wanted: wanted, found: node.kind), node.position)
  }

  private func unknown(
    _ member: SettingsDocument.Member,
    among keys: [String]
  ) -> PluginFileError {
    let nearest = EditDistance.nearest(to: member.name, among: keys)
    return fault(
      .unknownKey(member.name, nearest: nearest, allowed: keys),
      member.namePosition
    )
  }

  private func fault(
    _ fault: PluginFileError.Fault,
    _ position: SettingsDocument.Position?
  ) -> PluginFileError {
    PluginFileError(file: path, position: position, fault: fault)
  }

  /// Whether `name` is one that the gateway loads: `NN-name.json` or `NN-name.jsonc`.
  static func isNumbered(_ name: String) -> Bool {
    let digits = name.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
    return (1...4).contains(digits) && name.utf8.dropFirst(digits).first == UInt8(ascii: "-")
      && !label(ofFile: name).isEmpty
  }

  static func label(ofFile name: String) -> String {
    var label = Substring(name)
    for suffix in [".jsonc", ".json"] where label.hasSuffix(suffix) {
      label = label.dropLast(suffix.count)
    }
    let number = label.prefix { $0.isASCII && $0.isNumber }
    let rest = label.dropFirst(number.count)
    return rest.hasPrefix("-") ? String(rest.dropFirst()) : String(label)
  }

  private static func lastPart(of path: String) -> String {
    String(path.split(separator: "/", omittingEmptySubsequences: true).last ?? "")
  }
}
