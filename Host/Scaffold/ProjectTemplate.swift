/// The files of a new project: the template that this repository builds and tests, under another name.
struct ProjectTemplate {
  /// A file of the SDK and its place in the project.
  struct File: Equatable {
    let source: String
    let place: String
    /// Whether it is the author's from now on, and so gets the project's name.
    let isNamed: Bool
  }

  let order: ProjectOrder
  let sdk: SDKFolder
  /// The gateway's binary, for the makefile.
  let gateway: String

  /// Everything to be copied.
  ///
  /// - Returns: In no particular order.
  /// - Throws: `SystemError` when a folder cannot be read.
  func files() throws(SystemError) -> [File] {
    let templates = "\(sdk.path)/Templates"
    var files = try Self.walk("\(templates)/common", into: "", isNamed: true)
    files += try Self.walk("\(templates)/\(order.language.rawValue)", into: "", isNamed: true)
    func copy(_ source: String, to place: String) {
      files.append(File(source: "\(sdk.path)/\(source)", place: place, isNamed: false))
    }
    switch order.language {
    case .c, .rust: copy("C/gateway_plugin.h", to: "gateway_plugin.h")
    case .swift:
      copy("C/gateway_plugin.h", to: "SDK/C/gateway_plugin.h")
      copy("C/module.modulemap", to: "SDK/C/module.modulemap")
      copy("plugin.map", to: "SDK/plugin.map")
      files += try Self.walk("\(sdk.path)/Swift", into: "SDK/Swift/", isNamed: false)
      files += try Self.walk("\(sdk.path)/../Host/Wire", into: "SDK/Wire/", isNamed: false)
    }
    return files.map { file in
      File(
        source: file.source,
        place: file.isNamed ? renamed(file.place) : file.place,
        isNamed: file.isNamed
      )
    }
  }

  /// `text` of the template with the project's names.
  func renamed(_ text: String) -> String {
    words.reduce(text) { Self.replacing($1.old, by: $1.new, in: $0) }
  }

  private var words: [(old: String, new: String)] {
    let language = order.language.rawValue
    let type = order.name.split(separator: "_").map(Self.capitalised).joined()
    return [
      ("hello_\(language)", order.name),
      ("hello-\(language)", order.name),
      ("/v1/hello", "/v1/\(order.name)"),
      // The ending keeps it apart from the modules of the SDK and of Swift.
      ("Hello\(order.language.title)", "\(type)Service"),
      ("GATEWAY ?= gateway", "GATEWAY ?= \(Self.makeWord(gateway))"),
    ]
  }

  private static func capitalised(_ word: Substring) -> String {
    word.prefix(1).uppercased() + word.dropFirst()
  }

  /// A path as a makefile takes it; the bare name for one that it could not take.
  private static func makeWord(_ path: String) -> String {
    guard !path.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "'") }) else {
      return "gateway"
    }
    return replacing("#", by: "\\#", in: replacing("$", by: "$$", in: path))
  }

  private static func replacing(_ old: String, by new: String, in text: String) -> String {
    let (text, old) = (Array(text.utf8), Array(old.utf8))
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var at = 0
    while at < text.count {
      if text[at...].starts(with: old) {
        result += new.utf8
        at += old.count
      } else {
        result.append(text[at])
        at += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// What a build in the template's own folder leaves there.
  private static let built: Set<String> = [
    "build", "target", "Cargo.lock", ".build", "Package.resolved",
  ]

  private static func walk(
    _ folder: String,
    into place: String,
    isNamed: Bool
  ) throws(SystemError) -> [File] {
    var files: [File] = []
    for name in try Directory.list(folder) where !built.contains(name) {
      let source = "\(folder)/\(name)"
      if Directory.isDirectory(source) {
        files += try walk(source, into: "\(place)\(name)/", isNamed: isNamed)
      } else {
        files.append(File(source: source, place: "\(place)\(name)", isNamed: isNamed))
      }
    }
    return files
  }
}
