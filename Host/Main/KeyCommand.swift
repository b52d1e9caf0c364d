import Gateway

/// The verb `key`: makes the keys that libraries are signed with.
enum KeyCommand {
  private static let usage = """
    usage: gateway key create --out FILE
    Makes an Ed25519 key, writes its private half to FILE (which only you may read), and prints its public half.
    """

  /// Runs the verb.
  ///
  /// - Parameter arguments: What follows `key`.
  /// - Returns: The exit status: 0 done, 1 not done, 2 not understood.
  static func run(_ arguments: ArraySlice<String>) -> Int32 {
    switch arguments.first {
    case "--help", "-h", "help":
      print(usage)
      return 0
    case "create": break
    default:
      StandardError.write(usage)
      return 2
    }
    do throws(UsageError) {
      let order = try SigningOrder(arguments.dropFirst(), option: "--out", isRequired: true)
      guard order.library == nil else { throw UsageError(["key create takes no other argument"]) }
      return create(order.value ?? "")
    } catch {
      StandardError.write("\(error)\n\(usage)")
      return 2
    }
  }

  private static func create(_ path: String) -> Int32 {
    do throws(PrivateKey.Refusal) {
      let key = try PrivateKey()
      try key.write(path)
      print(key.publicKey.text)
      return 0
    } catch {
      StandardError.write("\(path): \(error)")
      return 1
    }
  }
}
