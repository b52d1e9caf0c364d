import Glibc
import Wire

/// A signature, as it stands in the file beside a library: who signed what.
package struct PluginSignature: Sendable, Equatable {
  /// Why a file is no signature.
  package enum Refusal: Error, Equatable, CustomStringConvertible {
    case missing
    case unreadable(SystemError)
    case tooLong(limit: Int)
    case malformed(String)
    /// It was not made by the key that it names over what it states.
    case forged

    package var description: String {
      switch self {
      case .missing: "there is no such file; make it with: gateway plugin sign --key FILE LIBRARY"
      case .unreadable(let error): "it cannot be read: \(error)"
      case .tooLong(let limit): "it is longer than \(limit) bytes, and so no signature"
      case .malformed(let reason): "it is no signature: \(reason); sign the library again"
      case .forged: "the signature does not match what it signs; sign the library again"
      }
    }
  }

  static let format = "gateway-plugin-signature/1"
  /// Bytes of a signature's file.
  package static let fileLimit = 4096
  private static let names = [
    "format", "sha256", "id", "version", "abi_from", "abi_below", "public_key", "signature",
  ]

  package let statement: SignedStatement
  package let key: PublicKey
  private let signature: [UInt8]

  /// Signs.
  package init(_ statement: SignedStatement, with key: PrivateKey) {
    self.statement = statement
    self.key = key.publicKey
    signature = key.sign(statement.message)
  }

  /// Reads a signature's file, and checks that the key in it made the signature.
  ///
  /// - Parameter bytes: The file.
  /// - Throws: `Refusal`.
  package init(_ bytes: [UInt8]) throws(Refusal) {
    guard bytes.count <= Self.fileLimit else { throw .tooLong(limit: Self.fileLimit) }
    let json: JSON
    do { json = try JSON.parse(bytes.span, maxDepth: 2) } catch {
      throw .malformed("line \(error.line), column \(error.column): \(error.reason)")
    }
    guard let members = json.asMembers else { throw .malformed("it is no JSON object") }
    if let other = members.first(where: { !Self.names.contains($0.name) }) {
      throw .malformed("it has an unknown member \(other.name.prefix(64).debugDescription)")
    }
    func text(_ name: String) throws(Refusal) -> String {
      guard let text = json[name]?.asString else { throw .malformed("\"\(name)\" is missing") }
      return text
    }
    func value<Value>(_ name: String, _ read: (String) -> Value?) throws(Refusal) -> Value {
      guard let value = read(try text(name)) else { throw .malformed("\"\(name)\" is malformed") }
      return value
    }
    guard try text("format") == Self.format else {
      throw .malformed("its format is not \(Self.format)")
    }
    let from = try value("abi_from") { SignedStatement.Contract($0) }
    var statement = SignedStatement(
      digest: try value("sha256") { Self.isDigest($0) ? $0 : nil },
      id: try value("id") { Names.isPluginID($0) ? $0 : nil },
      version: try value("version") { Names.isVersion($0) ? $0 : nil },
      abiMajor: from.major,
      abiMinor: from.minor
    )
    statement.below = try value("abi_below") { SignedStatement.Contract($0) }
    self.statement = statement
    key = try value("public_key") { PublicKey($0) }
    signature = try value("signature") { Base64URL.decode(Array($0.utf8).span) }
    guard key.accepts(signature, of: statement.message) else { throw .forged }
  }

  /// Reads the file at `path`.
  ///
  /// - Throws: `Refusal`.
  package init(path: String) throws(Refusal) {
    let bytes: [UInt8]
    do {
      bytes = try FileBytes.read(path, limit: Self.fileLimit)
    } catch {
      switch error {
      case .tooLong(let limit): throw .tooLong(limit: limit)
      case .system(let error): throw error.code == ENOENT ? .missing : .unreadable(error)
      }
    }
    try self.init(bytes)
  }

  /// Writes the file, in the place of an old one.
  ///
  /// - Throws: `SystemError`; an old file is as it was.
  package func write(_ path: String) throws(SystemError) {
    let staged = "\(path).\(getpid()).new"
    let raw = unsafe open(staged, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard raw >= 0 else { throw SystemError(call: "open", code: errno) }
    let file = Descriptor(adopting: raw)
    do throws(SystemError) {
      try Directory.writeAll(file.raw, Array(text.utf8)[...])
      guard unsafe rename(staged, path) == 0 else { throw SystemError(call: "rename", code: errno) }
    } catch {
      _ = unsafe unlink(staged)
      throw error
    }
  }

  /// Where the signature of a library is.
  package static func path(of library: String) -> String { "\(library).sig" }

  /// The file's text: one member a line, for people who compare.
  package var text: String {
    let values = [
      Self.format, statement.digest, statement.id, statement.version, "\(statement.from)",
      "\(statement.below)", key.text, Base64URL.encode(signature),
    ]
    let lines = zip(Self.names, values).map { "  \"\($0)\": \(JSON.string($1).text)" }
    return "{\n\(lines.joined(separator: ",\n"))\n}\n"
  }

  private static func isDigest(_ text: String) -> Bool {
    text.utf8.count == 64
      && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }
}
