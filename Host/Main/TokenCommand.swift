import Gateway
import Glibc
import Wire

/// The verb `token`: makes tokens, looks at them, and makes them void.
enum TokenCommand {
  private static let usage = """
    \(TokenOrder.usage)
           gateway token inspect -        (a token on standard input; secrets do not belong in process lists)
           gateway token inspect TOKEN
           gateway token revoke - | TOKEN | --id JTI
    The key is JWT_SECRET_KEY, or else the file `secret` in DATA_DIR.
    """

  private enum Failure: Error {
    case usage([String])
    case failed(String)
  }

  /// Runs the verb.
  ///
  /// - Parameters:
  ///   - arguments: What follows `token`.
  ///   - environment: The variables of the process.
  /// - Returns: The exit status: 0 done, 1 not done or not accepted, 2 not understood.
  static func run(_ arguments: ArraySlice<String>, environment: [String: String]) -> Int32 {
    do throws(Failure) {
      let rest = arguments.dropFirst()
      let asksForHelp = arguments.contains("--help") || arguments.contains("-h")
      switch asksForHelp ? "help" : arguments.first {
      case "create": return try create(rest, environment)
      case "inspect": return try inspect(rest, environment)
      case "revoke": return try revoke(rest, environment)
      case "help":
        print(usage)
        return 0
      case let other?: throw .usage(["\(other.debugDescription): there is no such command"])
      case nil: throw .usage([])
      }
    } catch {
      switch error {
      case .usage(let problems):
        report((problems + [usage]).joined(separator: "\n"))
        return 2
      case .failed(let reason):
        report(reason)
        return 1
      }
    }
  }

  private static func create(
    _ arguments: ArraySlice<String>,
    _ environment: [String: String]
  ) throws(Failure) -> Int32 {
    let settings = try readSettings(environment)
    let order: TokenOrder
    do throws(UsageError) {
      order = try TokenOrder(arguments, tiers: settings.tiers)
    } catch {
      throw .usage(error.problems)
    }
    let claims = order.claims(
      now: now(),
      tokenID: JWT.newTokenID(),
      issuer: settings.jwtIssuer,
      audience: settings.jwtAudience
    )
    let token = JWT.sign(claims, secret: settings.jwtSecret)
    guard token.utf8.count <= settings.limits.credentialBytes else {
      throw .failed(
        "the token would have \(token.utf8.count) bytes, more than LIMIT_CREDENTIAL_BYTES allows; "
          + "give it fewer scopes"
      )
    }
    print(token)
    return 0
  }

  private static func inspect(
    _ arguments: ArraySlice<String>,
    _ environment: [String: String]
  ) throws(Failure) -> Int32 {
    let token = try readToken(arguments)
    var authenticator: Authenticator?
    if try hasSecret(environment) {
      let settings = try readSettings(environment)
      let revocations: any RevocationList =
        try openRevocations(settings, ifPresent: true) ?? NoRevocations()
      authenticator = Authenticator(settings, revocations: revocations)
    }
    let report = TokenReport(token, authenticator, now: now())
    print(report.lines.joined(separator: "\n"))
    return report.isAccepted ? 0 : 1
  }

  private static func revoke(
    _ arguments: ArraySlice<String>,
    _ environment: [String: String]
  ) throws(Failure) -> Int32 {
    let settings = try readSettings(environment)
    let tokenID: String
    var until: Int64 = 253_402_300_799  // the end of 9999: how long it lives is not known
    if arguments.first == "--id" {
      guard arguments.count == 2, let id = arguments.last, (1...256).contains(id.utf8.count) else {
        throw .usage(["--id: write the jti of one token after it"])
      }
      tokenID = id
    } else {
      let token = try readToken(arguments)
      let authenticator = Authenticator(settings, revocations: NoRevocations())
      do throws(AuthenticationError) {
        let identity = try authenticator.identify(bearer: token.span, now: now())
        guard let id = identity.tokenID, let end = identity.expiresAt else {
          throw .malformed("it has no jti to revoke it by")
        }
        (tokenID, until) = (id, end)
      } catch {
        throw .failed("nothing to revoke. \(error.message)")
      }
    }
    let store = try openRevocations(settings, ifPresent: false)
    do throws(StorageError) {
      try store?.revoke(tokenID, until: until)
    } catch {
      throw .failed(error.description)
    }
    print("revoked \(tokenID)")
    return 0
  }

  private static func now() -> Int64 { Int64(time(nil)) }

  private static func report(_ text: String) { StandardError.write("gateway token: \(text)") }
}

// MARK: - What the commands read

extension TokenCommand {
  private static func isSet(_ name: String, _ environment: [String: String]) -> Bool {
    environment[name].map { !$0.isEmpty } ?? false
  }

  private static func secret(_ environment: [String: String]) throws(Failure) -> String? {
    if isSet("JWT_SECRET_KEY", environment) { return environment["JWT_SECRET_KEY"] }
    do throws(SecretFile.Refusal) {
      return try SecretFile.read(Settings.dataDirectory(environment))
    } catch {
      throw .failed(error.description)
    }
  }

  private static func hasSecret(_ environment: [String: String]) throws(Failure) -> Bool {
    try secret(environment) != nil
  }

  private static func readSettings(_ environment: [String: String]) throws(Failure) -> Settings {
    var environment = environment
    environment["JWT_SECRET_KEY"] = try secret(environment)
    do throws(SettingsError) {
      return try Settings.read(environment)
    } catch {
      throw .failed(error.description)
    }
  }

  /// The one token of the arguments, or of the first line of standard input for `-`.
  private static func readToken(_ arguments: ArraySlice<String>) throws(Failure) -> [UInt8] {
    guard let argument = arguments.first, arguments.count == 1 else {
      throw .usage(["write one token, or - for standard input"])
    }
    guard argument == "-" else { return Array(argument.utf8) }
    var bytes: [UInt8] = []
    while bytes.count <= 65_536 {
      let byte = getchar()
      guard byte >= 0, byte != 0x0A else { break }
      if byte != 0x0D { bytes.append(UInt8(truncatingIfNeeded: byte)) }
    }
    guard !bytes.isEmpty else { throw .usage(["there is no token on standard input"]) }
    return bytes
  }

  private static func openRevocations(
    _ settings: Settings,
    ifPresent: Bool
  ) throws(Failure) -> RevocationStore? {
    let path = settings.dataDirectory + "/gateway.db"
    if ifPresent, unsafe access(path, F_OK) != 0 { return nil }
    do throws(StorageError) {
      return try RevocationStore(path: path, now: now())
    } catch {
      throw .failed("\(error); check DATA_DIR")
    }
  }
}

/// The list where nothing has ever been revoked.
private struct NoRevocations: RevocationList {
  var version: UInt64 { 0 }
  func isRevoked(_ tokenID: String) -> Bool { false }
  func revoke(_ tokenID: String, until: Int64) throws(StorageError) {
    throw StorageError(path: "gateway.db", operation: "revoke a token", reason: "it is not open")
  }
}
