import Gateway
import Glibc

/// `plugin sign` and `plugin verify`: signatures beside libraries.
enum PluginSignCommand {
  private static let signUsage = """
    usage: gateway plugin sign --key FILE LIBRARY
    Signs the library with a private key of `gateway key create`, and writes LIBRARY.sig. The library is loaded in a
    child process to learn its id and version.
    """
  private static let verifyUsage = """
    usage: gateway plugin verify [--key PUBLIC] LIBRARY
    Says who signed the library, and whether LIBRARY.sig is of these bytes. With --key, only that key is good enough.
    No code of the library runs.
    """

  private struct Failure: Error {
    let reason: String
  }

  /// Runs `plugin sign`.
  ///
  /// - Parameter arguments: What follows it.
  /// - Returns: The exit status: 0 done, 1 not done, 2 not understood.
  static func sign(_ arguments: ArraySlice<String>) -> Int32 {
    run(arguments, isRequired: true, signUsage) { (library, keyFile) throws(Failure) in
      let key: PrivateKey
      do { key = try PrivateKey(path: keyFile ?? "") } catch {
        throw Failure(reason: "\(keyFile ?? ""): \(error)")
      }
      let statement: SignedStatement
      do { statement = try LibraryIdentity.ask(library) } catch {
        throw Failure(reason: "\(library): \(error)")
      }
      let path = PluginSignature.path(of: library)
      do {
        try PluginSignature(statement, with: key).write(path)
      } catch { throw Failure(reason: "\(path): it cannot be written: \(error)") }
      print("\(path): \(words(statement)), signed by \(key.publicKey.text)")
    }
  }

  /// Runs `plugin verify`.
  ///
  /// - Parameter arguments: What follows it.
  /// - Returns: The exit status: 0 the signature is good, 1 it is not, 2 not understood.
  static func verify(_ arguments: ArraySlice<String>) -> Int32 {
    run(arguments, isRequired: false, verifyUsage) { (library, wanted) throws(Failure) in
      let path = PluginSignature.path(of: library)
      let signature: PluginSignature
      do { signature = try PluginSignature(path: path) } catch {
        throw Failure(reason: "\(path): \(error)")
      }
      let digest: String
      do { digest = try GenerationStage.digest(of: library) } catch {
        throw Failure(reason: "\(library): it cannot be read: \(error)")
      }
      guard signature.statement.digest == digest else {
        throw Failure(reason: "\(library): the signature \(path) is of another library")
      }
      if let wanted, signature.key.text != wanted {
        throw Failure(reason: "\(library): it is signed by \(signature.key.text), not by \(wanted)")
      }
      print("\(library): \(words(signature.statement)), signed by \(signature.key.text)")
      if wanted == nil { print("Whether that key is to be trusted, --key PUBLIC decides.") }
    }
  }

  private static func words(_ statement: SignedStatement) -> String {
    "\(statement.id) \(statement.version), for contract \(statement.from) to below \(statement.below)"
  }

  private static func run(
    _ arguments: ArraySlice<String>,
    isRequired: Bool,
    _ usage: String,
    _ work: (_ library: String, _ key: String?) throws(Failure) -> Void
  ) -> Int32 {
    if Array(arguments) == ["--help"] || Array(arguments) == ["-h"] {
      print(usage)
      return 0
    }
    let order: SigningOrder
    do throws(UsageError) {
      order = try SigningOrder(arguments, option: "--key", isRequired: isRequired)
      guard order.library != nil else { throw UsageError(["LIBRARY: it is required"]) }
      if !isRequired, let key = order.value, PublicKey(key) == nil {
        throw UsageError(["--key: write a public key, as `gateway key create` prints it"])
      }
    } catch {
      StandardError.write("\(error)\n\(usage)")
      return 2
    }
    do throws(Failure) { try work(order.library ?? "", order.value) } catch {
      StandardError.write(error.reason)
      return 1
    }
    return 0
  }
}
