import Synchronization
import Wire

/// What answers at a path.
enum Endpoint: Sendable {
  case builtIn(BuiltIn)
  case plugin(PluginRoute, RequiredScope)
}

/// All routes of one moment, immutable; a change is a new table.
package final class RouteTable: Sendable {
  /// A node of the tree of path segments.
  private struct Node {
    var literals: [(segment: [UInt8], node: Int)] = []
    var parameter: Int?
    var endpoints: [(method: String, endpoint: Endpoint)] = []
  }

  /// What a lookup found.
  enum Match {
    case found(Endpoint)
    case wrongMethod(allowed: [String])
    case nothing
  }

  private let nodes: [Node]
  /// All plugin routes, in order of declaration.
  package let pluginRoutes: [PluginRoute]
  private let described = Mutex<[UInt8]?>(nil)

  /// - Parameter pluginRoutes: No two of one method and shape, none of a built-in's.
  package init(pluginRoutes: [PluginRoute]) {
    var nodes = [Node()]
    for builtIn in BuiltIn.allCases {
      for path in builtIn.paths {
        let segments = path.split(separator: "/").map { PathPattern.Segment.literal(String($0)) }
        let node = Self.insert(segments, into: &nodes)
        nodes[node].endpoints.append(("GET", .builtIn(builtIn)))
      }
    }
    for route in pluginRoutes {
      let node = Self.insert(route.pattern.segments, into: &nodes)
      nodes[node].endpoints.append((route.method, .plugin(route, RequiredScope(name: route.scope))))
    }
    self.nodes = nodes
    self.pluginRoutes = pluginRoutes
  }

  /// The OpenAPI document of these routes, as JSON; made when it is first asked for, since it takes milliseconds.
  var openAPI: [UInt8] {
    described.withLock { described in
      if let described { return described }
      let bytes = OpenAPI.document(pluginRoutes).bytes
      described = bytes
      return bytes
    }
  }

  private static func insert(_ segments: [PathPattern.Segment], into nodes: inout [Node]) -> Int {
    var at = 0
    for segment in segments {
      let next: Int?
      switch segment {
      case .literal(let text):
        next = nodes[at].literals.first { $0.segment.elementsEqual(text.utf8) }?.node
      case .parameter: next = nodes[at].parameter
      }
      if let next {
        at = next
        continue
      }
      nodes.append(Node())
      switch segment {
      case .literal(let text): nodes[at].literals.append((Array(text.utf8), nodes.count - 1))
      case .parameter: nodes[at].parameter = nodes.count - 1
      }
      at = nodes.count - 1
    }
    return at
  }

  /// Finds what answers `method` at a path.
  ///
  /// Literal segments win over parameters, position by position.
  func match(_ path: borrowing SplitPath, method: Span<UInt8>) -> Match {
    guard let node = find(path, from: 0, at: 0) else { return .nothing }
    let endpoints = nodes[node].endpoints
    var get: Endpoint?
    for (name, endpoint) in endpoints {
      if Self.equal(name, method) { return .found(endpoint) }
      if name == "GET" { get = endpoint }
    }
    if let get, Self.equal("HEAD", method) { return .found(get) }
    return .wrongMethod(allowed: Self.allowed(endpoints.map(\.method)))
  }

  /// The methods that a path answers; `nil` when nothing is there.
  func methods(_ path: borrowing SplitPath) -> [String]? {
    guard let node = find(path, from: 0, at: 0) else { return nil }
    return Self.allowed(nodes[node].endpoints.map(\.method))
  }

  private static func allowed(_ methods: [String]) -> [String] {
    var all = methods
    if all.contains("GET") { all.append("HEAD") }
    all.append("OPTIONS")
    return all
  }

  private func find(_ path: borrowing SplitPath, from segment: Int, at node: Int) -> Int? {
    guard segment < path.count else { return nodes[node].endpoints.isEmpty ? nil : node }
    for index in nodes[node].literals.indices
    where path.equals(segment, nodes[node].literals[index].segment) {
      if let found = find(path, from: segment + 1, at: nodes[node].literals[index].node) {
        return found
      }
      break  // literals of one node differ, so no other can match
    }
    guard let parameter = nodes[node].parameter, !path.isEmpty(segment) else { return nil }
    return find(path, from: segment + 1, at: parameter)
  }

  @inline(__always)
  private static func equal(_ name: String, _ method: Span<UInt8>) -> Bool {
    guard name.utf8.count == method.count else { return false }
    var index = 0
    for byte in name.utf8 {
      guard byte == method[index] else { return false }
      index += 1
    }
    return true
  }
}
