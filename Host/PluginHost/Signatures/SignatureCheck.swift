import CGatewayPlugin
import Wire

/// Whether the code of a library may run, as far as signatures decide it.
///
/// Made before the library is opened, from the bytes that will be mapped; `confirm` compares what the library says of
/// itself once it can be asked.
struct SignatureCheck {
  /// Why a library is not loaded.
  enum Refusal: Error, Equatable, CustomStringConvertible {
    case required
    case signature(path: String, PluginSignature.Refusal)
    case otherLibrary(path: String, signed: String, found: String)
    case otherSigner(PublicKey)
    case otherHosts(from: SignedStatement.Contract, below: SignedStatement.Contract)
    case otherClaim(what: String, signed: String, found: String)

    var description: String {
      switch self {
      case .required:
        "REQUIRE_SIGNED is on, and this file does not say who must have signed the library; add "
          + "\"signed_by\": [\"PUBLIC KEY\"]"
      case .signature(let path, let refusal): "the library's signature \(path): \(refusal)"
      case .otherLibrary(let path, let signed, let found):
        "the signature \(path) is of another library (SHA-256 \(signed.prefix(12))…, this one has "
          + "\(found.prefix(12))…); sign this build, or put the signed one back"
      case .otherSigner(let key):
        "the library is signed by \(key.text), which is not in \"signed_by\"; add the key if you trust it"
      case .otherHosts(let from, let below):
        "the library is signed for hosts of contract \(from) to below \(below), this gateway has "
          + "\(GW_ABI_MAJOR).\(GW_ABI_MINOR); install a build for it"
      case .otherClaim(let what, let signed, let found):
        "the library is signed as \(what) \(signed), but says that it is \(found); sign it again"
      }
    }
  }

  private let file: PluginFile
  private let digest: String
  private let statement: SignedStatement?
  /// Why the signature would not have been enough, had the file not forced the load.
  private(set) var overridden: Refusal?

  /// Checks the signature of a library, before any of its code runs.
  ///
  /// - Parameters:
  ///   - file: Says who must have signed.
  ///   - source: The library's path; its signature is beside it.
  ///   - digest: Of the bytes that will be mapped.
  ///   - isRequired: Whether a file must name signers.
  /// - Throws: `PluginFileError`, unless the file forces the load.
  init(
    _ file: PluginFile,
    source: String,
    digest: String,
    isRequired: Bool
  ) throws(PluginFileError) {
    self.file = file
    self.digest = digest
    do throws(Refusal) {
      statement = try Self.check(file.signers, source, digest, isRequired)
    } catch {
      guard file.signers.isForced else { throw Self.fault(file, error) }
      statement = nil
      overridden = error
    }
  }

  /// Compares what the library says of itself with what was signed.
  ///
  /// - Parameter code: Opened, and nothing but its entry has run.
  /// - Throws: `PluginFileError`, unless the file forces the load.
  mutating func confirm(_ code: any PluginCode) throws(PluginFileError) {
    guard let statement else { return }
    let found = SignedStatement(
      digest: digest,
      id: code.id,
      version: code.version,
      abiMajor: unsafe code.descriptor.pointee.abi_major,
      abiMinor: unsafe code.descriptor.pointee.abi_minor
    )
    guard let refusal = Self.difference(signed: statement, found: found) else { return }
    guard file.signers.isForced else { throw Self.fault(file, refusal) }
    overridden = refusal
  }

  private static func check(
    _ signers: Signers,
    _ source: String,
    _ digest: String,
    _ isRequired: Bool
  ) throws(Refusal) -> SignedStatement? {
    guard let keys = signers.keys else {
      guard !isRequired else { throw .required }
      return nil
    }
    let path = PluginSignature.path(of: source)
    let signature: PluginSignature
    do { signature = try PluginSignature(path: path) } catch {
      throw .signature(path: path, error)
    }
    guard keys.contains(signature.key) else { throw .otherSigner(signature.key) }
    let statement = signature.statement
    guard statement.digest == digest else {
      throw .otherLibrary(path: path, signed: statement.digest, found: digest)
    }
    guard statement.fitsHost else {
      throw .otherHosts(from: statement.from, below: statement.below)
    }
    return statement
  }

  static func difference(signed: SignedStatement, found: SignedStatement) -> Refusal? {
    let pairs = [
      ("id", signed.id, found.id), ("version", signed.version, found.version),
      (
        "for contract", "\(signed.from) to below \(signed.below)",
        "\(found.from) to below \(found.below)"
      ),
    ]
    guard let (what, signed, found) = pairs.first(where: { $0.1 != $0.2 }) else { return nil }
    return .otherClaim(what: what, signed: signed, found: found)
  }

  private static func fault(_ file: PluginFile, _ refusal: Refusal) -> PluginFileError {
    PluginFileError(
      file: file.path,
      position: file.signers.position ?? file.libraryPosition,
      fault: .load(refusal.description)
    )
  }
}
