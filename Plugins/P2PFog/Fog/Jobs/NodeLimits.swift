import GatewayPlugin
import Peering
import Synchronization

/// What is refused at submission because no node could ever run it.
extension Coordinator {
  /// Capabilities named in a refusal.
  private static let mostNamed = 64

  /// Refuses what no known node has.
  ///
  /// Nodes that are offline count: they may come back. Trust does not: it changes.
  ///
  /// - Parameters:
  ///   - request: The submission.
  ///   - owner: Who submits.
  ///   - now: The present.
  /// - Throws: 503 without any node, 422 with what the largest node has or with the known capabilities.
  func checkNodes(_ request: JobRequest, owner: String, _ now: Moment) throws(Failure) {
    var nodes = state.withLock { $0.known }
    guard !nodes.isEmpty else {
      throw .unavailable("No node has joined yet; try again later.", retryAfter: .seconds(10))
    }
    let need = Capacity(request.requirements)
    var wanted = Placement.Need.capabilities(
      request.type,
      request.requirements,
      request.parameters
    )
    let own = ownModels(Placement.Need.model(request.type, request.parameters), nodes)
    if let own, let model = request.parameters["model_id"]?.asString {
      // Whoever asks a model of their own asks it where it is.
      if try hasModel(model, owner) {
        wanted.removeAll { $0 == "model:\(model)" }
        nodes.removeAll { $0.id != own }
      }
    }
    var errors = Self.capabilityErrors(wanted, nodes, request.type)
    errors += Self.sizeErrors(need, nodes)
    guard errors.isEmpty else { throw .validation(errors) }
    let fits = nodes.contains { node in
      Capacity(node.report).lacking(need).isEmpty
        && wanted.allSatisfy(node.report.capabilities.contains)
    }
    guard fits else {
      throw .validation([
        FieldError(
          field: "requirements",
          reason: "are each met by some node, but no single node has all of them; ask for less"
        )
      ])
    }
  }

  private func hasModel(_ model: String, _ owner: String) throws(Failure) -> Bool {
    do throws(HostRefusal) {
      return try around.hasModel(model, owner)
    } catch .notFound {
      return false
    } catch {
      throw .unavailable(
        "Whether the model is yours cannot be asked just now: \(error).",
        retryAfter: .seconds(5)
      )
    }
  }

  private static func capabilityErrors(
    _ wanted: [String],
    _ nodes: [FogNode],
    _ type: JobType
  ) -> [FieldError] {
    let known = Set(nodes.flatMap(\.report.capabilities))
    let shared = known.filter { $0.hasPrefix("model:") }.map { String($0.dropFirst(6)) }.sorted()
    let unknown = wanted.filter { !known.contains($0) }
    return unknown.map { name in
      if name == JobType.process.rawValue {
        let refusals = Set(nodes.map(\.report.isolationRefusal)).filter { !$0.isEmpty }.sorted()
        return FieldError(
          field: "type",
          reason: "no node can isolate a process: \(refusals.prefix(4).joined(separator: "; "))"
        )
      }
      if name == type.rawValue { return FieldError(field: "type", reason: "no node can \(name)") }
      if name.hasPrefix("model:") {
        return FieldError(
          field: "parameters.model_id",
          reason: "is none of your models (GET /v1/models), and no node shares one of this id",
          allowed: Array(shared.prefix(mostNamed))
        )
      }
      return FieldError(
        field: "requirements.capabilities",
        reason: "no node has the capability \(name)",
        allowed: Array(known.sorted().prefix(mostNamed))
      )
    }
  }

  private static func sizeErrors(_ need: Capacity, _ nodes: [FogNode]) -> [FieldError] {
    let largest = nodes.reduce(Capacity()) { $0.maximum(Capacity($1.report)) }
    let names = [
      "cpu_millicores": "cpu_cores", "memory_mb": "memory_mb", "disk_mb": "disk_mb",
      "gpu_count": "gpu_count",
    ]
    return zip(Capacity.names, zip(need.values, largest.values)).compactMap { name, pair in
      guard pair.0 > pair.1 else { return nil }
      func shown(_ value: Int) -> String {
        name == "cpu_millicores" ? "\(Double(value) / 1000)" : "\(value)"
      }
      return FieldError(
        field: "requirements.\(names[name] ?? name)",
        reason: "is \(shown(pair.0)), and the largest node has \(shown(pair.1))"
      )
    }
  }
}
