import PluginStorage

/// What an upload is, by its first bytes, its name, and what its sender claimed.
///
/// The bytes decide. A claim that agrees with them may refine them (`text/x-python` of UTF-8 text); a claim that
/// does not is reported and dropped, so that content is never served under a type it does not have.
package struct TypeSniffer: Sendable {
  /// What can be done with the content.
  package enum Form: Sendable, Equatable {
    case text, markdown, html, json, csv, pdf, image, archive, executable, binary

    var isText: Bool {
      switch self {
      case .text, .markdown, .html, .json, .csv: true
      default: false
      }
    }
  }

  package enum Encoding: Sendable, Equatable {
    case utf8, utf16LittleEndian, utf16BigEndian, latin1
  }

  package struct Result: Sendable, Equatable {
    /// The media type it is kept and served under.
    package var contentType: String
    /// As the sender said, without parameters; `nil` when nothing was said.
    package var claimedType: String?
    /// Whether the claim agrees with the bytes; true when nothing, or only "some bytes", was claimed.
    package var matches: Bool
    package var form: Form
    package var encoding: Encoding
    /// A program that calls itself a document: never right by accident, so it is refused.
    package var isDisguised: Bool
  }

  /// Bytes looked at.
  package static let prefixBytes = 8 * 1024

  /// Tells what the content is.
  ///
  /// - Parameters:
  ///   - prefix: The first `prefixBytes` of the content, or all of it.
  ///   - isWhole: Whether that is all of it.
  ///   - filename: As stored; its ending refines text.
  ///   - claimed: The part's `Content-Type`.
  /// - Returns: The decision.
  package static func sniff(
    _ prefix: Span<UInt8>,
    isWhole: Bool,
    filename: String,
    claimed: String?
  ) -> Result {
    let claim = claimed.flatMap(essence)
    let ending = fileEnding(filename)
    let byEnding = ending.flatMap { endings[$0] }
    let isVague = claim == nil || vague.contains(claim ?? "")
    if let magic = magic(prefix) {
      let type = refine(magic, claim: claim, ending: byEnding)
      let claimsDocument = !isVague || byEnding != nil
      let isDisguised =
        magic.form == .executable && claimsDocument
        && (isDocument(claim) || isDocument(byEnding))
      return Result(
        contentType: type,
        claimedType: claim,
        matches: isVague || claim == type,
        form: magic.form,
        encoding: .utf8,
        isDisguised: isDisguised
      )
    }
    guard let encoding = textEncoding(prefix, isWhole: isWhole) else {
      let isClaimUsable = claim.map { !isVague && !isTextual($0) && !known.contains($0) } ?? false
      let type = isClaimUsable ? claim ?? unknown : unknown
      return Result(
        contentType: type,
        claimedType: claim,
        matches: isVague || isClaimUsable,
        form: .binary,
        encoding: .utf8,
        isDisguised: false
      )
    }
    let type = textType(prefix, claim: isVague ? nil : claim, ending: byEnding)
    return Result(
      contentType: type,
      claimedType: claim,
      matches: isVague || claim == type,
      form: form(ofText: type),
      encoding: encoding,
      isDisguised: false
    )
  }

  private static let unknown = "application/octet-stream"

  /// Claims that say nothing.
  private static let vague: Set<String> = [
    unknown, "application/x-www-form-urlencoded", "binary/octet-stream",
  ]

  // MARK: - Magic numbers

  private struct Magic {
    let form: Form
    let type: String
  }

  private static let signatures: [(StaticString, Magic)] = [
    ("%PDF-", Magic(form: .pdf, type: "application/pdf")),
    ("GIF87a", Magic(form: .image, type: "image/gif")),
    ("GIF89a", Magic(form: .image, type: "image/gif")),
    ("PK\u{3}\u{4}", Magic(form: .archive, type: "application/zip")),
    ("PK\u{5}\u{6}", Magic(form: .archive, type: "application/zip")),
    ("\u{7F}ELF", Magic(form: .executable, type: "application/x-executable")),
    ("!<arch>\n", Magic(form: .executable, type: "application/x-archive")),
    ("BZh", Magic(form: .archive, type: "application/x-bzip2")),
    ("OggS", Magic(form: .binary, type: "application/ogg")),
    ("\u{0}asm", Magic(form: .executable, type: "application/wasm")),
  ]

  private static func magic(_ bytes: Span<UInt8>) -> Magic? {
    // Signatures whose bytes are not UTF-8 are compared as numbers.
    func starts(_ wanted: [UInt8], at offset: Int = 0) -> Bool {
      guard bytes.count >= offset + wanted.count else { return false }
      return wanted.indices.allSatisfy { bytes[offset + $0] == wanted[$0] }
    }
    if starts([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      return Magic(form: .image, type: "image/png")
    }
    if starts([0xFF, 0xD8, 0xFF]) { return Magic(form: .image, type: "image/jpeg") }
    if starts([0x1F, 0x8B]) { return Magic(form: .archive, type: "application/gzip") }
    if starts([0x28, 0xB5, 0x2F, 0xFD]) { return Magic(form: .archive, type: "application/zstd") }
    if starts([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]) {
      return Magic(form: .archive, type: "application/x-xz")
    }
    if starts([0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]) {
      return Magic(form: .archive, type: "application/x-ole-storage")
    }
    if bytes.has("RIFF"), bytes.has("WEBP", at: 8) {
      return Magic(form: .image, type: "image/webp")
    }
    let machO: [[UInt8]] = [
      [0xFE, 0xED, 0xFA, 0xCE], [0xFE, 0xED, 0xFA, 0xCF], [0xCE, 0xFA, 0xED, 0xFE],
      [0xCF, 0xFA, 0xED, 0xFE], [0xCA, 0xFE, 0xBA, 0xBE],
    ]
    if machO.contains(where: { starts($0) }) || isPortableExecutable(bytes) {
      return Magic(form: .executable, type: "application/x-executable")
    }
    return signatures.first { bytes.has($0.0) }?.1
  }

  /// `MZ`, and the header it points to: two letters alone also begin honest text.
  private static func isPortableExecutable(_ bytes: Span<UInt8>) -> Bool {
    guard bytes.has("MZ"), bytes.count >= 64 else { return false }
    let at = Int(bytes[60]) | Int(bytes[61]) << 8 | Int(bytes[62]) << 16 | Int(bytes[63]) << 24
    // The DOS header has zeros; text has none.
    return bytes.has("PE\0\0", at: at) || (0..<64).contains { bytes[$0] == 0 }
  }

  /// The finer type of a container, when the claim or the ending names one that is made of it.
  private static func refine(_ magic: Magic, claim: String?, ending: String?) -> String {
    let finer: [String]
    switch magic.type {
    case "application/zip":
      finer = zipTypes
    case "application/x-ole-storage":
      finer = ["application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"]
    case "application/x-executable":
      finer = [
        "application/x-sharedlib", "application/x-elf", "application/x-msdownload",
        "application/vnd.microsoft.portable-executable", "application/x-mach-binary",
      ]
    case "application/gzip":
      finer = ["application/x-gzip", "application/x-tar", "application/x-gtar"]
    case "application/ogg": finer = ["audio/ogg", "video/ogg"]
    default: return magic.type
    }
    return [claim, ending].compactMap { $0 }.first { finer.contains($0) } ?? magic.type
  }

  private static let zipTypes = [
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/epub+zip", "application/java-archive", "application/x-zip-compressed",
    "application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.spreadsheet",
  ]

  /// Types this sniffer would have recognised, so a claim of them over other bytes is wrong.
  private static let known = Set(
    [
      "application/pdf", "image/png", "image/gif", "image/jpeg", "image/webp", "application/zip",
      "application/gzip", "application/x-executable", "application/json", "application/wasm",
    ] + zipTypes
  )

  private static func isDocument(_ type: String?) -> Bool {
    guard let type else { return false }
    return isTextual(type) || type.hasPrefix("image/") || type.hasPrefix("audio/")
      || type.hasPrefix("video/") || type == "application/pdf" || zipTypes.contains(type)
      || type == "application/msword"
  }

  // MARK: - Text

  /// How the bytes are text; `nil` when they are not.
  static func textEncoding(_ bytes: Span<UInt8>, isWhole: Bool) -> Encoding? {
    if bytes.count >= 2, bytes[0] == 0xFF, bytes[1] == 0xFE { return .utf16LittleEndian }
    if bytes.count >= 2, bytes[0] == 0xFE, bytes[1] == 0xFF { return .utf16BigEndian }
    var controls = 0
    for index in bytes.indices where bytes[index] < 0x20 && !ASCIIClass.isSpace(bytes[index]) {
      if bytes[index] == 0 { return nil }
      if bytes[index] != 0x1B { controls += 1 }  // terminal colours
    }
    guard controls * 50 <= bytes.count else { return nil }
    // The prefix may cut the last character. The error says no more than that it is not UTF-8.
    for cut in 0...(isWhole ? 0 : min(3, bytes.count)) {
      let part = bytes.extracting(first: bytes.count - cut)
      if (try? UTF8Span(validating: part)) != nil { return .utf8 }
    }
    var high = 0
    for index in bytes.indices where bytes[index] >= 0x80 { high += 1 }
    // Western text in an old encoding is mostly ASCII; anything else is not text.
    return high * 3 <= bytes.count ? .latin1 : nil
  }

  private static func textType(_ bytes: Span<UInt8>, claim: String?, ending: String?) -> String {
    if let looks = structure(bytes) {
      // HTML is named by its bytes alone; a page must not pass as an image or as plain text.
      if looks == "text/html" { return claim == "application/xhtml+xml" ? claim ?? looks : looks }
      if claim == nil || claim == looks || claim == "text/plain" { return looks }
    }
    if let claim, isTextual(claim), claim != "text/html" {
      return claim == "text/plain" ? ending ?? claim : claim
    }
    if claim == "text/html" { return "text/html" }
    if let ending, isTextual(ending) { return ending }
    return "text/plain"
  }

  private static func structure(_ bytes: Span<UInt8>) -> String? {
    var at = bytes.has("\u{FEFF}") ? 3 : 0
    while at < bytes.count, ASCIIClass.isSpace(bytes[at]) { at += 1 }
    guard at < bytes.count else { return nil }
    let start = bytes.text(at..<min(bytes.count, at + 64)).lowercased()
    if start.hasPrefix("<!doctype html") || start.hasPrefix("<html") || start.hasPrefix("<head")
      || start.hasPrefix("<body") || start.hasPrefix("<script")
    {
      return "text/html"
    }
    if start.hasPrefix("<?xml") {
      let head = bytes.text(at..<min(bytes.count, at + 1024)).lowercased()
      return head.contains("<html") ? "application/xhtml+xml" : "application/xml"
    }
    if bytes[at] == UInt8(ascii: "{") || bytes[at] == UInt8(ascii: "[") {
      return isJSON(bytes, from: at) ? "application/json" : nil
    }
    return nil
  }

  /// Whether the bytes are JSON as far as they go: only an end that came too early is forgiven.
  private static func isJSON(_ bytes: Span<UInt8>, from start: Int) -> Bool {
    do {
      try JSONExtractor.extract(bytes.extracting(start..<bytes.count)) {
        (_: Block) throws(StorageError) in
      }
      return true
    } catch .malformed(let offset) {
      return offset >= bytes.count - start - 64 && bytes.count >= prefixBytes
    } catch { return false }
  }

  private static func form(ofText type: String) -> Form {
    switch type {
    case "text/markdown": .markdown
    case "text/html", "application/xhtml+xml": .html
    case "application/json", "application/x-ndjson", "application/jsonl": .json
    case "text/csv", "text/tab-separated-values": .csv
    case _ where type.hasSuffix("+json"): .json
    default: .text
    }
  }

  static func isTextual(_ type: String) -> Bool {
    type.hasPrefix("text/") || type.hasSuffix("+json") || type.hasSuffix("+xml")
      || [
        "application/json", "application/xml", "application/yaml", "application/x-yaml",
        "application/javascript", "application/toml", "application/sql", "application/x-sh",
        "application/x-ndjson", "application/jsonl", "application/rtf", "application/x-tex",
      ].contains(type)
  }

  // MARK: - Names

  /// `type/subtype` in lower case, when the claim is one.
  static func essence(_ claimed: String) -> String? {
    let type = claimed.prefix { $0 != ";" }.filter { !$0.isWhitespace }.lowercased()
    let parts = type.split(separator: "/", omittingEmptySubsequences: false)
    let isToken = type.utf8.allSatisfy {
      ASCIIClass.isAlphanumeric($0) || "!#$&-^_.+/".utf8.contains($0)
    }
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, isToken, type.utf8.count <= 127
    else { return nil }
    return type == "text/x-markdown" ? "text/markdown" : type
  }

  private static func fileEnding(_ filename: String) -> String? {
    guard let dot = filename.lastIndex(of: "."), dot != filename.startIndex else { return nil }
    return filename[filename.index(after: dot)...].lowercased()
  }

  private static let endings: [String: String] = [
    "txt": "text/plain", "text": "text/plain", "log": "text/plain", "md": "text/markdown",
    "markdown": "text/markdown", "html": "text/html", "htm": "text/html", "csv": "text/csv",
    "tsv": "text/tab-separated-values", "json": "application/json", "jsonl": "application/jsonl",
    "ndjson": "application/x-ndjson", "xml": "application/xml", "yaml": "application/yaml",
    "yml": "application/yaml", "toml": "application/toml", "rst": "text/x-rst", "tex": "text/x-tex",
    "py": "text/x-python", "swift": "text/x-swift", "rs": "text/x-rust", "c": "text/x-c",
    "h": "text/x-c", "js": "text/javascript", "css": "text/css", "pdf": "application/pdf",
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
    "docx": zipTypes[0], "xlsx": zipTypes[1], "pptx": zipTypes[2], "epub": zipTypes[3],
    "odt": zipTypes[6], "ods": zipTypes[7], "doc": "application/msword",
  ]
}
