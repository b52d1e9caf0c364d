import Gateway
import Glibc
import Wire

/// The verb `node`: this gateway works for another one's fog, or takes nodes into its own.
enum NodeCommand {
  private static let usage = """
    usage: gateway node join LINK                       work for the gateway that made the invitation; with - for LINK it
                                                        is read from standard input, where no list of processes shows it
           gateway node leave PEER_ID                   do so no more
           gateway node invite [--ttl 24h] [--note TEXT] [--peer]
                                                        print an invitation; with --peer for messages alone
           gateway node list [--json]                   the nodes of this gateway's fog
    Asks the running gateway whose settings these are (HOST, PORT, DATA_DIR, JWT_SECRET_KEY), as its administrator.
    """

  /// Nodes asked for at once, as many as the route gives.
  private static let pageSize = 100

  private enum Failure: Error {
    case usage(String)
    case failed(String)
  }

  /// Runs the verb.
  ///
  /// - Parameters:
  ///   - arguments: What follows `node`.
  ///   - environment: The variables of the process.
  /// - Returns: The exit status: 0 done, 1 not done, 2 not understood.
  static func run(_ arguments: ArraySlice<String>, environment: [String: String]) -> Int32 {
    do throws(Failure) {
      let rest = Array(arguments.dropFirst())
      let asksForHelp = arguments.contains("--help") || arguments.contains("-h")
      switch asksForHelp ? "help" : arguments.first {
      case "join": try join(rest, environment)
      case "leave": try leave(rest, environment)
      case "invite": try invite(rest, environment)
      case "list": try list(rest, environment)
      case "help": print(usage)
      case let other?: throw .usage("\(other.debugDescription): there is no such command")
      case nil: throw .usage("write a command")
      }
      return 0
    } catch {
      switch error {
      case .usage(let problem):
        StandardError.write("gateway node: \(problem)\n\(usage)")
        return 2
      case .failed(let reason):
        StandardError.write("gateway node: \(reason)")
        return 1
      }
    }
  }

  private static func join(_ arguments: [String], _ environment: [String: String]) throws(Failure) {
    guard arguments.count == 1 else { throw .usage("join: write one invitation link, or -") }
    let link = arguments[0] == "-" ? readLine() ?? "" : arguments[0]
    guard !link.isEmpty else { throw .usage("join: the invitation link is empty") }
    let data = try ask(
      "POST",
      "/v1/fog/coordinators",
      ["invitation": .string(link)],
      environment
    )
    print("this gateway is a node of \(data["peer_id"]?.asString ?? "")")
  }

  private static func leave(_ arguments: [String], _ environment: [String: String]) throws(Failure)
  {
    let isID = arguments.first?.utf8.allSatisfy {
      (48...57).contains($0) || (97...122).contains($0)
    }
    guard arguments.count == 1, isID == true else { throw .usage("leave: write one peer id") }
    _ = try ask("DELETE", "/v1/fog/coordinators/\(arguments[0])", nil, environment)
    print("this gateway is no node of \(arguments[0]) any more")
  }

  private static func invite(_ arguments: [String], _ environment: [String: String]) throws(Failure)
  {
    var members: [JSON.Member] = []
    var isForNode = true
    var rest = arguments[...]
    while let option = rest.popFirst() {
      switch option {
      case "--peer": isForNode = false
      case "--ttl", "--note":
        guard let value = rest.popFirst() else { throw .usage("\(option): write a value after it") }
        if option == "--note" {
          members.append(.init(name: "note", value: .string(value)))
        } else if let seconds = TokenOrder.seconds(value) {
          members.append(.init(name: "ttl_seconds", value: .integer(seconds)))
        } else {
          throw .usage("--ttl: write a time as 30m, 24h or 7d")
        }
      default: throw .usage("\(option.debugDescription): there is no such option")
      }
    }
    members.append(.init(name: "node", value: .bool(isForNode)))
    let data = try ask("POST", "/v1/p2p/invitations", .object(members), environment)
    print(data["link"]?.asString ?? "")
  }

  private static func list(_ arguments: [String], _ environment: [String: String]) throws(Failure) {
    guard arguments.isEmpty || arguments == ["--json"] else {
      throw .usage("list: takes --json alone")
    }
    var nodes: [JSON] = []
    var page: [JSON] = []
    repeat {
      let path = "/v1/fog/nodes?limit=\(pageSize)&offset=\(nodes.count)"
      page = try ask("GET", path, nil, environment)["nodes"]?.asArray ?? []
      nodes += page
    } while page.count == pageSize
    if !arguments.isEmpty { return print(JSON.array(nodes).text) }
    var rows = [["NODE", "STATUS", "CORES", "MEMORY GB", "LOAD", "TRUST"]]
    for node in nodes {
      let resources = node["resources"]
      rows.append([
        node["node_id"]?.asString ?? "", node["status"]?.asString ?? "",
        number(resources?["cpu_cores"]), number(resources?["memory_gb"]),
        number(node["current_load"]), number(node["trust_score"]),
      ])
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    for row in rows {
      let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
      print(cells.joined(separator: "  "))
    }
  }

  private static func number(_ value: JSON?) -> String {
    guard let number = value?.asNumber else { return "" }
    return "\((number * 100).rounded() / 100)"
  }

  /// Asks the running gateway, with a token of a minute, and gives the member `data` of its answer.
  private static func ask(
    _ method: String,
    _ path: String,
    _ body: JSON?,
    _ environment: [String: String]
  ) throws(Failure) -> JSON {
    let settings = try readSettings(environment)
    let answer: (status: Int, body: [UInt8])
    do throws(LoopbackClient.Failure) {
      var client = try LoopbackClient(host: settings.host, port: settings.port)
      answer = try client.ask(
        method,
        path,
        credential: "Authorization: Bearer \(token(settings))",
        body: body?.text,
        limit: .seconds(60)
      )
    } catch {
      switch error {
      case .system:
        throw .failed(
          "no gateway listens at \(settings.host):\(settings.port); start it, or set HOST and PORT"
        )
      case .cut:
        throw .failed(
          "the gateway at \(settings.host):\(settings.port) gave no answer; its log may say why"
        )
      case .malformed:
        throw .failed(
          "what listens at \(settings.host):\(settings.port) is no gateway; set HOST and PORT"
        )
      }
    }
    guard let json = try? JSON.parse(answer.body) else {
      throw .failed("what listens at \(settings.host):\(settings.port) answers as no gateway does")
    }
    guard (200...299).contains(answer.status) else {
      let reason = json["message"]?.asString ?? "status \(answer.status)"
      let details =
        json["details"]?.asArray?.compactMap { detail in
          detail["reason"]?.asString.map { "\(detail["field"]?.asString ?? "") \($0)" }
        } ?? []
      throw .failed(([reason] + details).joined(separator: "\n  "))
    }
    return json["data"] ?? [:]
  }

  private static func token(_ settings: Settings) -> String {
    let arguments = ["--user", "operator", "--scope", "read,write,admin", "--ttl", "1m", "--mfa"]
    do throws(UsageError) {
      let claims = try TokenOrder(arguments[...], tiers: settings.tiers).claims(
        now: Int64(time(nil)),
        tokenID: JWT.newTokenID(),
        issuer: settings.jwtIssuer,
        audience: settings.jwtAudience
      )
      return JWT.sign(claims, secret: settings.jwtSecret)
    } catch {
      preconditionFailure("the order is a fixed one: \(error)")
    }
  }

  private static func readSettings(_ environment: [String: String]) throws(Failure) -> Settings {
    var environment = environment
    if (environment["JWT_SECRET_KEY"] ?? "").isEmpty {
      do throws(SecretFile.Refusal) {
        environment["JWT_SECRET_KEY"] = try SecretFile.read(Settings.dataDirectory(environment))
      } catch {
        throw .failed(error.description)
      }
    }
    do throws(SettingsError) {
      return try Settings.read(environment)
    } catch {
      throw .failed(error.description)
    }
  }
}
